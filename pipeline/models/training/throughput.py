"""How long training waits for its batches, and how long it computes with them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass
class Throughput:
    """Seconds of this process, by the wall clock.

    `waited` until a batch is there, `computed` from there to the end of its step, and at an epoch's
    end until a GPU has done what was enqueued; validation and snapshots are neither.
    """

    waited: float = 0.0
    computed: float = 0.0
    examples: int = 0

    @property
    def figures(self) -> dict[str, float]:
        """For the run record: share of the time that was waited, examples per second."""
        seconds = self.waited + self.computed
        return {
            "step_seconds": round(seconds, 3),
            "data_wait": round(self.waited / seconds, 4) if seconds else 0.0,
            "examples_per_second": round(self.examples / seconds, 1) if seconds else 0.0,
        }

    def timed(self, batches: Iterable[T]) -> Iterator[T]:
        """Pass batches through, and measure both sides."""
        mark = time.perf_counter()
        for batch in batches:
            ready = time.perf_counter()
            self.waited += ready - mark
            yield batch
            mark = time.perf_counter()
            self.computed += mark - ready

    @contextmanager
    def computing(self) -> Iterator[None]:
        """What happens inside is computing."""
        mark = time.perf_counter()
        yield
        self.computed += time.perf_counter() - mark
