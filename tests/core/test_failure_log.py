"""What a row function raises is logged once a kind, with its rows, whichever executor it ran on."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.core import failure_log as failures
from pipeline.core.errors import Rejected
from pipeline.core.failure_log import KEPT, FailureLog, Raised, by_kind, logs_of
from pipeline.execution.processes import Processes
from pipeline.execution.ray import RayExecutor
from pipeline.parts import manifest
from pipeline.parts.job import Executor
from pipeline.parts.part import Compute, Row, apply_bisecting
from pipeline.parts.serial import Serial
from tests.toy import Square, function, put, rows

OUT = Path("out")


class Faulty(Square):
    """Raises one kind of exception on 3, 6 and 9, where it speaks to the terminal; another on 5."""

    def open(self) -> Compute:
        def compute(found: Sequence[Row], values: Sequence[Any]) -> Sequence[Any]:
            for row in found:
                if row.spec in (3, 6, 9):
                    raise ValueError(f"\x1b[2Jno square of {row.spec}")
                if row.spec == 5:
                    raise KeyError(row.spec)
            return [row.spec**2 for row in found]

        return compute


EXECUTORS = [
    Serial(),
    pytest.param(Processes(2), marks=pytest.mark.slow),
    pytest.param(RayExecutor(2), marks=pytest.mark.slow),
]


def digest(number: int) -> str:
    return rows([number])[0].digest


@pytest.mark.parametrize("executor", EXECUTORS, ids=lambda executor: type(executor).__name__)
def test_each_kind_is_logged_once_with_all_its_rows(
    inside: Path, executor: Executor, caplog: pytest.LogCaptureFixture
) -> None:
    found = rows(list(range(12)))
    put(OUT, Faulty(function()), found, executor=executor, limit=1.0)
    assert len(caplog.messages) == 2
    assert sum("toy raised ValueError at " in message for message in caplog.messages) == 1
    (path,) = logs_of("toy", {digest(3), digest(6), digest(9)})
    text = path.read_text()
    assert text.count("Traceback (most recent call last)") == 1
    assert "no square of" in text
    assert "During handling" not in text
    assert "\x1b" not in text
    assert str(path) in "".join(caplog.messages)
    assert set(text.split("Rows, by digest:\n")[1].split()) == {digest(3), digest(6), digest(9)}
    assert "KeyError: 5" in logs_of("toy", {digest(5)})[0].read_text()
    rejects = list(manifest.rejects(OUT.joinpath))
    assert {reject.reason for reject in rejects} == {"failed"}
    assert {reject.message for reject in rejects} == {
        "toy raised ValueError",
        "toy raised KeyError",
    }


def test_a_later_run_adds_its_rows_and_keeps_those_of_before(inside: Path) -> None:
    put(OUT, Faulty(function()), rows([1, 3]), limit=1.0)
    put(OUT, Faulty(function()), rows([1, 3, 6]), limit=1.0)
    (path,) = logs_of("toy", {digest(3), digest(6)})
    listed = path.read_text().split("Rows, by digest:\n")[1].split()
    assert sorted(listed) == sorted({digest(3), digest(6)})


def test_another_place_gets_a_file_of_its_own(inside: Path) -> None:
    for exception, place in (("ValueError", "a.py:1"), ("ValueError", "a.py:2"), ("E", "a.py:1")):
        FailureLog("clean/image").add(by_kind([("d", Raised(exception, place, "Traceback"))]))
    assert len(list((failures.FOLDER / "clean@image").iterdir())) == 3
    assert len(logs_of("clean/image", {"d"})) == 1


def test_the_oldest_kinds_go(inside: Path) -> None:
    for number in range(KEPT + 3):
        FailureLog("toy").add(by_kind([(str(number), Raised("E", str(number), "t"))]))
    assert len(list((failures.FOLDER / "toy").iterdir())) == KEPT
    assert logs_of("toy", {str(KEPT + 2)})
    assert not logs_of("toy", {"0"})


def test_a_traceback_holds_nothing_of_the_batch_it_was_found_in() -> None:
    def step(some: Sequence[Row], values: Sequence[Any]) -> Sequence[Any]:
        if any(row.spec == 3 for row in some):
            raise ZeroDivisionError
        return values

    outcomes = apply_bisecting(step, rows(list(range(8))), list(range(8)), "toy")
    assert [i for i, outcome in enumerate(outcomes) if isinstance(outcome, Rejected)] == [3]
    assert outcomes[3].raised.traceback.count("Traceback") == 1


def test_what_was_raised_travels_with_the_refusal() -> None:
    def step(some: Sequence[Row], values: Sequence[Any]) -> Sequence[Any]:
        raise ZeroDivisionError

    (refusal,) = apply_bisecting(step, rows([1]), [None], "toy")
    again = pickle.loads(pickle.dumps(refusal))
    assert isinstance(again, Rejected)
    assert again.raised is not None
    assert again.raised == refusal.raised
    assert again.raised.exception == "ZeroDivisionError"
