from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pipeline.core.errors import Rejected
from pipeline.core.machine.shortage import DeviceFailure
from pipeline.execution import batching
from pipeline.execution.batching import Batcher
from pipeline.parts.part import Compute, Row
from tests.toy import rows

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
        return [value**2 for value in values]

    return square


def batcher(size: int = 4) -> Batcher:
    return Batcher("toy", lambda value: (value % 2, size), opened)


def test_batches_are_filled_across_callers_and_each_gets_its_own() -> None:
    fed = batcher()
    given = [[1, 3, 5], [7, 9, 11], [13, 15]]
    answers = [fed.add(rows(values), values) for values in given]
    assert [answer.result(60) for answer in answers] == [[v**2 for v in some] for some in given]
    assert sorted(len(some) for some in SEEN) == [4, 4]


def test_only_rows_of_one_kind_share_a_batch_and_the_last_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batching, "FILL_SECONDS", 0.0)
    fed = batcher()
    values = [1, 2, 3, 4, 5, 6, 7]
    assert fed.add(rows(values), values).result(60) == [value**2 for value in values]
    assert sorted(SEEN) == [[1, 3, 5, 7], [2, 4, 6]]


def test_what_was_refused_before_is_passed_through() -> None:
    fed, why = batcher(2), Rejected("odd", "it is odd")
    assert fed.add(rows([1, 2, 3]), [1, why, 3]).result(60) == [1, why, 9]
    assert fed.add(rows([2]), [why]).result(60) == [why]
    assert SEEN == [[1, 3]]


def test_a_failure_is_told_to_all_that_wait_and_all_that_come() -> None:
    fed = batcher(2)
    waiting = [fed.add(rows([0]), [0]), fed.add(rows([-1, 3]), [-1, 3])]
    for answer in [*waiting, fed.add(rows([5, 7]), [5, 7])]:
        with pytest.raises(DeviceFailure):
            answer.result(60)
