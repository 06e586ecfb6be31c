"""The run record: one line a run, whatever became of the run or of the record before it."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pipeline.execution import run_record
from pipeline.parts.summary import Summary
from pipeline.stages.run import _retry_advice


def lines(stage: str) -> list[dict[str, Any]]:
    name = stage.replace("/", "@") + ".jsonl"
    return [json.loads(line) for line in (run_record.FOLDER / name).read_text().splitlines()]


def record(stage: str, **figures: object) -> None:
    with run_record.recorded(stage) as own:
        own.update(figures)


def fail(stage: str, **figures: object) -> None:
    with suppress(RuntimeError), run_record.recorded(stage) as own:
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
    assert run_record.last_made("report") == {}
    record("report", computed=0)
    assert run_record.last_made("report") == {}
    record("report", computed=1, which="first")
    record("report", computed=1, which="second")
    record("report", computed=0, which="nothing to do")
    fail("report", computed=1, which="failed")
    assert run_record.last_made("report")["which"] == "second"


def test_the_last_runs_are_kept_and_the_one_that_made_the_output(inside: Path) -> None:
    record("report", computed=1, which="made")
    for number in range(run_record.KEPT + 5):
        record("report", computed=0, which=number)
    kept = [one["which"] for one in run_record.records("report")]
    assert kept == ["made", *range(6, run_record.KEPT + 5)]
    assert run_record.last_made("report")["which"] == "made"
    record("report", computed=1, which="anew")
    assert [one["which"] for one in run_record.records("report")][-1] == "anew"
    assert len(lines("report")) == run_record.KEPT
    assert list(run_record.FOLDER.iterdir()) == [run_record.FOLDER / "report.jsonl"]


def test_runs_that_end_at_once_are_all_recorded(inside: Path) -> None:
    command = "from pipeline.execution import run_record\nwith run_record.recorded('report'): pass"
    each = [subprocess.Popen([sys.executable, "-c", command]) for _ in range(6)]
    assert [process.wait(60) for process in each] == [0] * 6
    assert len(lines("report")) == 6


@pytest.mark.parametrize("half", [b'{"outcome": "done", "comp', b"\xff\x00", b"\n", b"7"])
def test_a_half_written_record_costs_no_other(inside: Path, half: bytes) -> None:
    record("report", computed=1, which="before")
    with (run_record.FOLDER / "report.jsonl").open("ab") as file:
        file.write(half)
    assert run_record.last_made("report")["which"] == "before"
    record("report", computed=1, which="after")
    assert run_record.last_made("report")["which"] == "after"


def test_a_stage_says_how_rows_that_no_function_refused_are_tried_retry_advice() -> None:
    refused = Summary(planned=1, rejected=2, reasons={"crashed": 1, "negative": 1})
    assert "`dvc repro --single-item --force clean@image`" in _retry_advice("clean/image", refused)
    assert _retry_advice("clean/image", Summary(rejected=1, reasons={"negative": 1})) == ""
