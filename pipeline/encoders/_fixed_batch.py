"""A network on batches of one fixed shape, so that a row's bytes depend on the row alone.

Kernels sum in an order that they choose by the shapes that they are given. Each batch therefore
has all its rows, unused ones zero, and all its length; that no place and no neighbour changes a
row's bits is then a property of the kernels, which tests/encoders/test_position.py and
benchmarks/gpu/law.py prove by trying.

On a GPU the thread that calls only fills page-locked memory and enqueues: copies run on a stream of
their own, so that several threads keep the card at work; its own clock measures the kernels.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.core.adjacent import runs

if TYPE_CHECKING:
    import torch

    # (rows, *shape) and the rows' lengths, int64 (rows,), on the device → (rows, ...) there.
    Network = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

# One is filled while another is copied and a third is computed.
SLOTS = 3


class FixedBatch:
    """Calls a network with (size, *shape) arrays.

    Parameters
    ----------
    network:
        Gets a batch and, of each row, how much of the first axis it fills; unused rows are zero
        and fill one place. Gives a tensor whose first axis is the batch's.
    shape, dtype:
        Of a row. A shorter one is filled up with zeros.
    """

    def __init__(
        self,
        network: Network,
        size: int,
        shape: tuple[int, ...],
        dtype: npt.DTypeLike,
        device: torch.device,
    ) -> None:
        self.network, self.size = network, size
        self._slots: queue.SimpleQueue[_Slot] = queue.SimpleQueue()
        for _ in range(SLOTS if device.type == "cuda" else 1):
            self._slots.put(_Slot((size, *shape), np.dtype(dtype), device))

    def __call__(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """What the network gives of up to `size` rows, float32 (rows, ...)."""
        slot = self._slots.get()
        try:
            slot.fill(rows)
            with _one_at_a_time:
                slot.enqueue(self.network)
            return slot.result(len(rows))
        finally:
            self._slots.put(slot)


# Torch's switches, which `repeatable_torch` holds and puts back, are the process's.
_one_at_a_time = threading.Lock()


@dataclass
class _Events:
    """A stream for copies, and marks between the steps of a batch."""

    copies: Any
    copied: Any
    began: Any
    ended: Any


class _Slot:
    """Memory of one batch on either side, and the events of its way."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], device: torch.device) -> None:
        import torch

        on_gpu = device.type == "cuda"
        kind = torch.from_numpy(np.empty(0, dtype)).dtype
        self._values = torch.zeros(shape, dtype=kind, pin_memory=on_gpu)
        self._lengths = torch.ones(shape[0], dtype=torch.int64, pin_memory=on_gpu)
        self._inputs = [self._values, self._lengths]
        self._result: torch.Tensor | None = None
        self._events: _Events | None = None
        if on_gpu:
            self._inputs = [one.to(device) for one in self._inputs]
            cuda: Any = torch.cuda
            # Who waits for the end sleeps: threads that launch and copy need the CPU.
            began, ended = (cuda.Event(enable_timing=True, blocking=True) for _ in range(2))
            self._events = _Events(cuda.Stream(device), cuda.Event(), began, ended)

    def fill(self, rows: Sequence[np.ndarray]) -> None:
        """One copy for all rows that stand together: each gives other threads the interpreter."""
        values, lengths = self._values.numpy(), self._lengths.numpy()
        place = 0
        for run in runs(rows):
            count, length = run.shape[:2]
            values[place : place + count, :length] = run
            values[place : place + count, length:] = 0
            lengths[place : place + count] = length
            place += count
        values[place:] = 0
        lengths[place:] = 1

    def enqueue(self, network: Network) -> None:
        import torch

        from pipeline.core.machine.device import repeatable_torch

        with repeatable_torch():
            if self._events is None:
                self._result = network(*self._inputs).float()
                return
            events = self._events
            with torch.cuda.stream(events.copies):
                for far, near in zip(self._inputs, (self._values, self._lengths), strict=True):
                    far.copy_(near, non_blocking=True)
                events.copied.record()
            events.copied.wait()
            events.began.record()
            vectors = network(*self._inputs).float()
            if self._result is None:
                self._result = torch.empty(vectors.shape, pin_memory=True)
            self._result.copy_(vectors, non_blocking=True)
            events.ended.record()

    def result(self, rows: int) -> np.ndarray:
        """Wait for the batch; its first rows."""
        from pipeline.core.machine import gpu_time

        assert self._result is not None
        if self._events is not None:
            self._events.ended.synchronize()
            gpu_time.add(self._events.began.elapsed_time(self._events.ended) / 1000)
        values: np.ndarray = self._result.numpy()[:rows].copy()
        return values
