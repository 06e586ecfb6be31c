from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from pipeline.core.errors import Rejected
from pipeline.core.machine.shortage import DeviceFailure
from pipeline.execution import batching
from pipeline.execution.batching import Batcher
from pipeline.parts.part import Compute, Row

SEEN: list[list[int]] = []


@pytest.fixture(autouse=True)
def nothing_seen_nor_hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long this process stands still, a batch waits to be filled."""
    SEEN.clear()
    monkeypatch.setattr(batching, "FILL_SECONDS", 600.0)


def opened() -> Compute:
    def square(some: Sequence[Row], values: Sequence[Any]) -> list[Any]:
        SEEN.append(list(values))
        if -1 in values:
            raise DeviceFailure("toy: the GPU failed")
        if -3 in values:
            raise ValueError("toy: it cannot be squared")
        return [value**2 for value in values]

    return square


def test_batches_are_filled_across_callers_and_each_gets_its_own() -> None:
    fed = Batcher("toy", opened)
    given = [[1, 3, 5], [7, 9, 11, 13, 15, 17], [19, 21, 23]]
    answers = [fed.add(("odd", 4), values) for values in given]
    assert [answer.result(60) for answer in answers] == [[v**2 for v in some] for some in given]
    assert sorted(SEEN) == [[1, 3, 5, 7], [9, 11, 13, 15], [17, 19, 21, 23]]


def test_what_fills_two_batches_is_in_both_at_once() -> None:
    both = threading.Barrier(2, timeout=30)

    def meeting() -> Compute:
        def square(some: Sequence[Row], values: Sequence[Any]) -> list[Any]:
            both.wait()
            return [value**2 for value in values]

        return square

    assert Batcher("toy", meeting).add(("odd", 2), [1, 3, 5, 7]).result(60) == [1, 9, 25, 49]


def test_only_rows_of_one_kind_share_a_batch_and_the_last_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fed = Batcher("toy", opened)
    answers = [
        fed.add(("odd", 4), [1, 3, 5]),
        fed.add(("even", 4), [2, 4]),
        fed.add(("odd", 4), [7]),
    ]
    assert [answers[0].result(60), answers[2].result(60)] == [[1, 9, 25], [49]]
    assert SEEN == [[1, 3, 5, 7]]
    monkeypatch.setattr(batching, "FILL_SECONDS", 0.0)
    assert fed.add(("even", 4), [6]).result(60) == [36]
    assert answers[1].result(60) == [4, 16]
    assert SEEN[1:] == [[2, 4, 6]]


def test_a_row_that_is_refused_costs_none_beside_it() -> None:
    fed = Batcher("toy", opened)
    first, second = fed.add(("odd", 4), [1, -3]), fed.add(("odd", 4), [5, 7])
    refused = first.result(60)[1]
    assert isinstance(refused, Rejected)
    assert [*first.result(60)[:1], *second.result(60)] == [1, 25, 49]


def test_a_failure_is_told_to_all_that_wait_and_all_that_come() -> None:
    fed = Batcher("toy", opened)
    waiting = [fed.add(("even", 2), [0]), fed.add(("odd", 2), [-1, 3])]
    for answer in [*waiting, fed.add(("odd", 2), [5, 7])]:
        with pytest.raises(DeviceFailure):
            answer.result(60)
