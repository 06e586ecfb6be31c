"""Rows of many parts through one encoder, in batches as large as it takes them.

Callers bring a few rows at a time and wait for these alone; a batch is filled from whatever waits,
across callers and parts. It goes partly filled only where nothing more came for a while: at a
stage's end, or while the GPU waits anyway. What a row becomes depends on none of this.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from pipeline.core.errors import Rejected
from pipeline.parts.part import Compute, Outcome, Row, apply_bisecting

# A batch waits so long for rows to fill it.
FILL_SECONDS = 0.5
# While one batch is on the GPU the next is put together.
THREADS = 2


@dataclass(eq=False)
class _Slice:
    """Rows that came together, and what has become of them."""

    rows: Sequence[Row]
    outcomes: list[Outcome]
    missing: int
    answer: Future[list[Outcome]] = field(default_factory=Future)


class Batcher:
    """Fills batches and computes them.

    Parameters
    ----------
    stage:
        Names the work in messages.
    kind:
        Of a row's value: which rows it may share a batch with, and how many such a batch takes.
    open:
        Gives the function; it is called once, by the first thread with something to compute.
    """

    def __init__(
        self,
        stage: str,
        kind: Callable[[Any], tuple[Hashable, int]],
        open: Callable[[], Compute],
    ) -> None:
        self._stage, self._kind, self._open = stage, kind, open
        self._waiting: dict[tuple[Hashable, int], deque[tuple[_Slice, int]]] = {}
        self._changed = threading.Condition()
        self._came = 0.0
        self._compute: Compute | None = None
        self._failure: Exception | None = None
        self._opening = threading.Lock()
        for _ in range(THREADS):
            threading.Thread(target=self._run, daemon=True).start()

    def add(self, rows: Sequence[Row], values: Sequence[Outcome]) -> Future[list[Outcome]]:
        """Take rows; the future gives their outcomes, or raises what ended the work."""
        places = [i for i, value in enumerate(values) if not isinstance(value, Rejected)]
        arrived = _Slice(rows, list(values), len(places))
        if not places:
            arrived.answer.set_result(arrived.outcomes)
            return arrived.answer
        with self._changed:
            if self._failure is not None:
                arrived.answer.set_exception(self._failure)
                return arrived.answer
            for place in places:
                self._waiting.setdefault(self._kind(values[place]), deque()).append(
                    (arrived, place)
                )
            self._came = time.monotonic()
            self._changed.notify()
        return arrived.answer

    def _run(self) -> None:
        while True:
            batch = self._next()
            slices = {id(arrived): arrived for arrived, _ in batch}
            try:
                with self._opening:
                    self._compute = self._compute or self._open()
                outcomes = apply_bisecting(
                    self._compute,
                    [arrived.rows[place] for arrived, place in batch],
                    [arrived.outcomes[place] for arrived, place in batch],
                    self._stage,
                )
            except Exception as error:
                self._fail(error, slices)
                continue
            with self._changed:
                for (arrived, place), outcome in zip(batch, outcomes, strict=True):
                    arrived.outcomes[place] = outcome
                    arrived.missing -= 1
            for arrived in slices.values():
                if not arrived.missing and not arrived.answer.done():
                    arrived.answer.set_result(arrived.outcomes)

    def _next(self) -> list[tuple[_Slice, int]]:
        """A full batch, or after a while the fullest."""
        with self._changed:
            while True:
                full = [kind for kind, rows in self._waiting.items() if len(rows) >= kind[1]]
                left = self._came + FILL_SECONDS - time.monotonic()
                if full or (self._waiting and left <= 0):
                    kind = max(full or self._waiting, key=lambda one: len(self._waiting[one]))
                    rows = self._waiting[kind]
                    batch = [rows.popleft() for _ in range(min(kind[1], len(rows)))]
                    if not rows:
                        del self._waiting[kind]
                    return batch
                self._changed.wait(left if self._waiting else None)

    def _fail(self, error: Exception, slices: dict[int, _Slice]) -> None:
        """Whatever waits and whatever comes fails too: the work is to go on elsewhere."""
        with self._changed:
            self._failure = error
            waiting = {
                id(arrived): arrived for rows in self._waiting.values() for arrived, _ in rows
            }
            self._waiting.clear()
        for arrived in (slices | waiting).values():
            if not arrived.answer.done():
                arrived.answer.set_exception(error)
