"""Several processes that train one network: each takes its share of every batch.

Their gradients are summed before every step, so each process holds the same weights, and the
gradient is that of the whole batch (Goyal et al. 2017, 1706.02677, section 2, with the loss of
each share weighed by what it is of the batch, since shares may be unequal).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import torch
from torch import Tensor, distributed
from torch.nn import Parameter

from pipeline.core.errors import PipelineError
from pipeline.core.randomness import entropy

# A process that died is noticed at once; this is for one that hangs.
SILENT = timedelta(minutes=30)


@dataclass(frozen=True)
class World:
    """The processes of one training: how many they are, and which one this is."""

    rank: int = 0
    size: int = 1

    def share(self, rows: int, cuts: int) -> list[np.ndarray]:
        """This process's positions of `rows`, in `cuts` pieces at most; none of them is empty."""
        pieces = np.array_split(np.arange(rows), self.size * cuts)
        mine = pieces[self.rank * cuts : (self.rank + 1) * cuts]
        return [piece for piece in mine if len(piece)]

    def sum(self, tensor: Tensor) -> None:
        """Make a tensor the sum of all processes' own, in place."""
        if self.size > 1:
            distributed.all_reduce(tensor)

    def check_agreed(self, epoch: int) -> None:
        """PipelineError if processes begin at different epochs."""
        begun = torch.tensor(float(epoch))
        self.sum(begun)
        if begun.item() != self.size * epoch:
            raise PipelineError(
                "workers found different snapshots under .pipeline/snapshots: let all nodes share "
                "the project's file system, or remove that folder"
            )

    def sum_gradients(self, parameters: Iterable[Parameter]) -> None:
        """Give every process the sum of the gradients; one that nobody has stays None.

        One flat tensor travels, in float32, behind it a count of who has each gradient.
        """
        if self.size == 1:
            return
        trained = list(parameters)
        has = torch.tensor(
            [float(parameter.grad is not None) for parameter in trained], device=trained[0].device
        )
        grads = [
            torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            for parameter in trained
        ]
        flat = torch.cat([*(grad.flatten() for grad in grads), has])
        distributed.all_reduce(flat)
        *summed, counts = torch.split(
            flat, [*(parameter.numel() for parameter in trained), len(trained)]
        )
        for parameter, grad, count in zip(trained, summed, counts.tolist(), strict=True):
            parameter.grad = grad.view_as(parameter).clone() if count else None

    def reseed(self, seed: int, epoch: int) -> None:
        """Have each process draw its own dropout, anew each epoch.

        So nobody needs to know another's random state to go on where all were stopped.
        """
        if self.size > 1:
            torch.manual_seed(entropy(seed, "dropout", self.rank, epoch) % 2**63)


SINGLE_PROCESS = World()


@contextmanager
def join_world(rank: int, size: int, address: str, device: str) -> Iterator[World]:
    """Be one of `size` processes that meet at `host:port`, on the CPU (gloo) or on GPUs (NCCL)."""
    if size == 1:
        yield SINGLE_PROCESS
        return
    distributed.init_process_group(
        # The figures of an epoch are summed on the CPU wherever training computes.
        "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo",
        init_method=f"tcp://{address}",
        rank=rank,
        world_size=size,
        timeout=SILENT,
    )
    try:
        yield World(rank, size)
    finally:
        distributed.destroy_process_group()
