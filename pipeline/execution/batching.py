"""Rows of many parts through one encoder, in batches as large as it takes them.

Callers bring a few rows at a time and wait for these alone; a batch is filled from whatever waits,
across callers and parts, by ranges of what they brought. It goes partly filled only where nothing
more came for a while: at a stage's end, or while the GPU waits anyway. What a row becomes depends
on none of this.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from pipeline.parts.part import Compute, Outcome, Row, apply_bisecting

# A batch waits so long for rows to fill it.
FILL_SECONDS = 0.5
# While one batch is on the GPU the next is enqueued, and the one after it is put together.
THREADS = 3
# Which rows share a batch, and how many such a batch takes: see `Work.batch`.
Kind = tuple[Hashable, int]
# Stands for every row: what is computed depends on the values alone, and rows need not travel.
ANY_ROW = Row("", "", "", "", 0)


@dataclass(eq=False)
class _Slice:
    """Values that came together, and what has become of them."""

    values: Sequence[Any]
    outcomes: list[Outcome]
    # Values that have gone into batches, and those whose outcomes are missing.
    taken: int
    missing: int
    answer: Future[list[Outcome]] = field(default_factory=Future)

    def take(self, most: int) -> _Range:
        """The next values, at most so many."""
        start, self.taken = self.taken, min(self.taken + most, len(self.values))
        return _Range(self, start, self.taken)


@dataclass(frozen=True)
class _Range:
    """Places of a slice, which are in one batch."""

    arrived: _Slice
    start: int
    stop: int

    def values(self) -> Sequence[Any]:
        return self.arrived.values[self.start : self.stop]


class Batcher:
    """Fills batches and computes them.

    Parameters
    ----------
    stage:
        Names the work in messages.
    open:
        Gives the function; it is called once, by the first thread with something to compute.
    """

    def __init__(self, stage: str, open: Callable[[], Compute]) -> None:
        self._stage, self._open = stage, open
        self._waiting: dict[Kind, deque[_Slice]] = {}
        self._changed = threading.Condition()
        self._came = 0.0
        self._compute: Compute | None = None
        self._failure: Exception | None = None
        self._opening = threading.Lock()
        for _ in range(THREADS):
            threading.Thread(target=self._run, daemon=True).start()

    def add(self, kind: Kind, values: Sequence[Any]) -> Future[list[Outcome]]:
        """Take values of one kind, one at least; the future gives their outcomes.

        Or it raises what ended the work.
        """
        arrived = _Slice(values, [None] * len(values), 0, len(values))
        with self._changed:
            if self._failure is not None:
                arrived.answer.set_exception(self._failure)
                return arrived.answer
            self._waiting.setdefault(kind, deque()).append(arrived)
            self._came = time.monotonic()
            # They may fill more than one batch.
            self._changed.notify_all()
        return arrived.answer

    def _run(self) -> None:
        while True:
            batch = self._next()
            values = [*chain.from_iterable(part.values() for part in batch)]
            try:
                with self._opening:
                    self._compute = self._compute or self._open()
                rows = [ANY_ROW] * len(values)
                outcomes = iter(apply_bisecting(self._compute, rows, values, self._stage))
            except Exception as error:
                self._fail(error, [part.arrived for part in batch])
                continue
            for part in batch:
                arrived, count = part.arrived, part.stop - part.start
                arrived.outcomes[part.start : part.stop] = islice(outcomes, count)
                # Answered under the lock: another batch may end, or fail, with the same slice.
                with self._changed:
                    arrived.missing -= count
                    if not arrived.missing and not arrived.answer.done():
                        arrived.answer.set_result(arrived.outcomes)

    def _next(self) -> list[_Range]:
        """A full batch, or after a while the fullest."""
        with self._changed:
            while True:
                counts = {
                    kind: sum(len(arrived.values) - arrived.taken for arrived in slices)
                    for kind, slices in self._waiting.items()
                }
                full = [kind for kind, count in counts.items() if count >= kind[1]]
                left = self._came + FILL_SECONDS - time.monotonic()
                if full or (counts and left <= 0):
                    return self._take(max(full or counts, key=counts.__getitem__))
                self._changed.wait(left if counts else None)

    def _take(self, kind: Kind) -> list[_Range]:
        """Values for a batch of this kind, which wait."""
        slices, batch, room = self._waiting[kind], list[_Range](), kind[1]
        while slices and room:
            batch.append(slices[0].take(room))
            room -= batch[-1].stop - batch[-1].start
            if slices[0].taken == len(slices[0].values):
                slices.popleft()
        if not slices:
            del self._waiting[kind]
        return batch

    def _fail(self, error: Exception, computed: Sequence[_Slice]) -> None:
        """Whatever waits and whatever comes fails too: the work is to go on elsewhere."""
        with self._changed:
            self._failure = error
            failed = [*computed, *chain.from_iterable(self._waiting.values())]
            self._waiting.clear()
            for arrived in failed:
                if not arrived.answer.done():
                    arrived.answer.set_exception(error)
