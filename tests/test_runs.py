"""The run record: one line a run, whatever became of the run or of the record before it."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pipeline import runs
from pipeline.parts import Summary
from pipeline.run import _again


def lines(stage: str) -> list[dict[str, Any]]:
    name = stage.replace("/", "@") + ".jsonl"
    return [json.loads(line) for line in (runs.FOLDER / name).read_text().splitlines()]


def record(stage: str, **figures: object) -> None:
    with runs.recorded(stage) as own:
        own.update(figures)


def fail(stage: str, **figures: object) -> None:
    with suppress(RuntimeError), runs.recorded(stage) as own:
        own.update(figures)
        raise RuntimeError


def test_a_run_says_what_it_took_and_how_it_ended(inside: Path) -> None:
    record("clean/image", rows=3)
    fail("clean/image")
    done, failed = lines("clean/image")
    assert (done["outcome"], done["rows"], failed["outcome"]) == ("done", 3, "failed")
    assert done["seconds"] >= 0
    assert done["cpu_seconds"] > 0
    assert done["peak_mb"] > 0
    assert done["revision"] == "none"


def test_the_record_of_an_output_is_of_the_run_that_made_it(inside: Path) -> None:
    assert runs.last_made("report") == {}
    record("report", computed=0)
    assert runs.last_made("report") == {}
    record("report", computed=1, which="first")
    record("report", computed=1, which="second")
    record("report", computed=0, which="nothing to do")
    fail("report", computed=1, which="failed")
    assert runs.last_made("report")["which"] == "second"


@pytest.mark.parametrize("half", [b'{"outcome": "done", "comp', b"\xff\x00", b"\n", b"7"])
def test_a_half_written_record_costs_no_other(inside: Path, half: bytes) -> None:
    record("report", computed=1, which="before")
    with (runs.FOLDER / "report.jsonl").open("ab") as file:
        file.write(half)
    assert runs.last_made("report")["which"] == "before"
    record("report", computed=1, which="after")
    assert runs.last_made("report")["which"] == "after"


def test_a_stage_says_how_rows_that_no_function_refused_are_tried_again() -> None:
    refused = Summary(planned=1, rejected=2, reasons={"crashed": 1, "negative": 1})
    assert "`dvc repro --single-item --force clean@image`" in _again("clean/image", refused)
    assert _again("clean/image", Summary(rejected=1, reasons={"negative": 1})) == ""
