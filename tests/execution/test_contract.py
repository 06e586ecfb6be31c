"""What every executor promises: a new one is tested by being there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.registry import names
from pipeline.execution.executors import executor_kind
from pipeline.execution.options import AUTO, FOLDER, ExecutionOptions
from pipeline.parts.job import Executor
from tests.execution.reading import bring, serial, tree
from tests.toy import Square, function

KINDS = [
    pytest.param(name, marks=pytest.mark.slow) if name == "ray" else name for name in names(FOLDER)
]


def executor(kind: str) -> Executor:
    options = ExecutionOptions(executor=kind, workers=2)
    return executor_kind(kind).executor(options, 2, "cpu")


@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_are_those_of_one_process(
    kind: str, inside: Path, request: pytest.FixtureRequest
) -> None:
    if kind == "ray":
        request.getfixturevalue("ray_runs")
    work = Square(function(), fails_on=7)
    numbers = range(-3, 40)
    expected = serial(work, numbers)
    summary = bring(executor(kind), work, numbers)
    assert tree() == expected
    assert summary.reasons == {"negative": 3, "failed": 1}
    assert summary.computed > 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_mistake_of_the_user_ends_the_work(
    kind: str, inside: Path, request: pytest.FixtureRequest
) -> None:
    if kind == "ray":
        request.getfixturevalue("ray_runs")
    with pytest.raises(PipelineError, match="told to break"):
        bring(executor(kind), Square(function(), breaks_on=5))


def test_every_executor_can_be_named_and_no_other() -> None:
    for name in (AUTO, *names(FOLDER)):
        assert ExecutionOptions(executor=name).executor == name
    with pytest.raises(ValueError, match=r"unknown executor 'rey'; there are: auto, .*ray, serial"):
        ExecutionOptions(executor="rey")
