"""A worker and the holder that computes for it, in one process: `ray.get` stands for the way."""

from __future__ import annotations

import asyncio
import pickle
import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.core.errors import Rejected
from pipeline.execution import batching, worker
from pipeline.parts.job import outcomes
from pipeline.parts.part import Compute, Outcome, Row
from tests.toy import Square, function, rows

SHORT = Rejected("short", "there is nothing to sum")
SENT: list[int] = []


class Sums(Square):
    """Of arrays as long as their row's number; 0 is refused before, 7 raises, 9 gives no pair."""

    rows_at_once = 5

    def prepare(self, rows: Sequence[Row], read: Sequence[Any]) -> list[Any]:
        return [np.full((row.spec, 2), row.spec, np.int32) if row.spec else SHORT for row in rows]

    def batch(self, value: np.ndarray) -> tuple[bool, int]:
        return len(value) > 3, 3

    def open(self) -> Compute:
        def compute(rows: Sequence[Row], values: Sequence[np.ndarray]) -> list[Outcome]:
            if 7 in map(len, values):
                raise ValueError("seven")
            sums = np.stack([value.sum(0) for value in values])
            pairs = list(zip(sums, map(len, values), strict=True))
            return [SHORT if length == 9 else (sum_, length) for sum_, length in pairs]

        return compute


@pytest.fixture
def holder(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a worker takes for Ray's handle of a holder."""
    import ray

    monkeypatch.setattr(batching, "FILL_SECONDS", 0.0)
    monkeypatch.setattr(worker, "die_with_parent", lambda: None)
    monkeypatch.setattr(sys, "setswitchinterval", lambda seconds: None)
    monkeypatch.setattr(worker, "_name", lambda: "node/1")
    held = worker.Holder(Sums(function()))
    monkeypatch.setattr(ray, "get", lambda sent: asyncio.run(held.compute(pickle.loads(sent))))
    SENT.clear()

    def remote(groups: object) -> bytes:
        sent = pickle.dumps(groups, protocol=5)
        SENT.append(len(sent))
        return sent

    return SimpleNamespace(compute=SimpleNamespace(remote=remote))


def told(some: Sequence[Outcome]) -> list[Any]:
    return [
        (one.reason, one.message) if isinstance(one, Rejected) else (one[0].tolist(), one[1])
        for one in some
    ]


def test_a_holder_gives_the_outcomes_of_one_process(holder: Any) -> None:
    work = Sums(function())
    numbers = rows([4, 0, 2, 5, 1, 7, 3, 9, 8, 6, 0, 2])
    found, use = worker.Worker(work).outcomes(numbers, [None] * len(numbers), holder)
    expected = []
    for row in numbers:  # each alone, since one process does not group rows as a holder does
        expected += outcomes(work, work.open(), [row])
    assert told(found) == told(expected)
    assert (use.worker, use.holder) == ("node/1", "node/1")
    assert [one[0] for one in told(found) if one[0] in ("short", "failed")] == [
        *("short", "failed", "short", "short")
    ]


def test_rows_that_are_all_refused_come_back_refused(holder: Any) -> None:
    found, _ = worker.Worker(Sums(function())).outcomes(rows([0]), [None], holder)
    assert found == [SHORT]


def test_arrays_of_any_length_travel_as_one(holder: Any) -> None:
    """And without their rows: two thousand more add their values and little beside."""
    for count in (2000, 4000):
        ahead = worker._Ahead(Sums(function()))
        ahead.send(holder, [np.full((1 + i % 3, 2), i, np.int32) for i in range(count)])
    values = sum(8 * (1 + i % 3) for i in range(2000, 4000))
    assert values < SENT[1] - SENT[0] < 1.25 * values


@pytest.mark.parametrize(
    "values",
    [
        [np.zeros((2, 3)), np.zeros((4, 3))],
        [np.zeros(2), np.zeros((2, 3))],
        [np.zeros(2), np.zeros(2, np.float32)],
        [np.array(1.0), np.array(2.0)],
        [np.zeros((0, 3)), np.zeros((0, 3))],
        [(np.zeros(2), 1), (np.ones(2), 2)],
        [(np.zeros(2), 1), SHORT],
        [(1, 2), (3, 4)],
        [1, "a", None],
    ],
)
def test_what_travels_arrives(values: list[Any]) -> None:
    arrived = worker._unpacked(pickle.loads(pickle.dumps(worker._packed(values))))
    assert list(map(repr, arrived)) == list(map(repr, values))
