from __future__ import annotations

import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from pipeline.cli.output import NARROW, TOGETHER, numbers, records_of, show

ROW = {"id": "a\tb\nc\\", "n": 3, "x": 0.1, "none": None, "list": list(range(9)), "bytes": 2048}


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard output as a terminal of 80 columns."""
    monkeypatch.setattr("pipeline.cli.output._on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")


def test_a_pipe_gets_tabs_and_every_value_whole(capsys: pytest.CaptureFixture[str]) -> None:
    show([ROW], list(ROW), False)
    header, row = lines(capsys)
    assert header.split("\t") == list(ROW)
    whole = ["a\\tb\\nc\\\\", "3", "0.1", "", "[0, 1, 2, 3, 4, 5, 6, 7, 8]", "2048"]
    assert row.split("\t") == whole


def test_json_is_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    odd = {"nan": float("nan"), "big": Decimal(12), "half": Decimal("0.5"), "data": b"\x01"}
    show([ROW, odd], (), True)
    first, second = map(json.loads, lines(capsys))
    assert first == ROW
    assert second == {"nan": None, "big": 12, "half": 0.5, "data": "01"}


def test_nothing_but_the_names_where_there_are_no_rows(capsys: pytest.CaptureFixture[str]) -> None:
    show([], ["a", "b"], False)
    assert lines(capsys) == ["a\tb"]


@pytest.mark.usefixtures("terminal")
def test_a_terminal_gets_a_line_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    show([{**ROW, "id": "x" * 500}], list(ROW), False)
    header, row = lines(capsys)
    assert len(header.split()) == len(ROW)
    assert "…" in row
    assert "2.0 kB" in row
    assert "[0, 1, 2, 3, …] (9)" in row


@pytest.mark.usefixtures("terminal")
def test_short_columns_stay_whole_beside_long_ones(capsys: pytest.CaptureFixture[str]) -> None:
    row = {f"c{i}": "short" for i in range(4)} | {"wide": "w" * 300}
    show([row], list(row), False)
    _, told = lines(capsys)
    assert told.split()[:4] == ["short"] * 4
    assert len(told.rstrip()) <= 80
    many = {f"column{i}": "y" * 40 for i in range(9)}
    show([many], list(many), False)
    assert all(len(cell) == NARROW for cell in lines(capsys)[1].split())


@pytest.mark.usefixtures("terminal")
def test_a_long_result_is_more_than_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    show(({"n": n} for n in range(TOGETHER + 1)), ["n"], False)
    assert len(lines(capsys)) == TOGETHER + 3


@pytest.mark.usefixtures("terminal")
def test_brackets_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"name": "[red]x[/red]", "value": "[/]"}], ["name", "value"], False)
    assert "[red]x[/red]" in lines(capsys)[1]


def test_a_float32_is_its_shortest_decimal() -> None:
    value = np.float32(0.1)
    assert numbers(np.array([[value, -0.0]], np.float32)) == [0.1, -0.0]
    assert numbers(np.array([7], np.int32)) == [7]
    batch = pa.record_batch({"x": pa.array([0.1, None], pa.float32()), "n": [1, 2]})
    assert records_of(batch) == [{"x": 0.1, "n": 1}, {"x": None, "n": 2}]
