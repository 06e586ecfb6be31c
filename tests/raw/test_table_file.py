"""Tables are read in bounded memory, whatever their bytes say; what is too large is refused."""

from __future__ import annotations

import datetime
import decimal
import io
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core import identity
from pipeline.core.errors import PipelineError, Rejected
from pipeline.raw import folders, parquet_child
from pipeline.raw import table_file as rows
from pipeline.raw.folders import LocalFolder
from pipeline.sources import folder, stamps

# Reads a table of stdin and says how it ended, under 3 GiB of addresses.
READ = """
import resource, sys
from pipeline.core.errors import Rejected
from pipeline.raw.table_file import read
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, resource.RLIM_INFINITY))
try:
    print(len(read(sys.argv[1], sys.stdin.buffer.read()).rows), "rows")
except Rejected as reject:
    print(reject.reason)
"""


def outcome(name: str, data: bytes) -> str:
    command = [sys.executable, "-c", READ, name]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    return done.stdout.decode() or done.stderr.decode()[-500:]


def parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, compression="zstd")
    return file.getvalue()


def repeated(value: Any, kind: pa.DataType, times: int) -> pa.Array:
    """One value so often, which a dictionary and runs of it hold in a few bytes."""
    indices = pa.array([0], pa.int32()).take(pa.nulls(times, pa.int32()).fill_null(0))
    return pa.DictionaryArray.from_arrays(indices, pa.array([value], kind))


BOMBS = {
    "rows": lambda: pa.table({"text": repeated("a", pa.string(), rows.MAX_ROWS + 1)}),
    "long cells": lambda: pa.table({"text": repeated("a" * (1 << 20), pa.string(), 100_000)}),
    "lists": lambda: pa.table(
        {"text": pa.ListArray.from_arrays(range(0, 40_000_001, 5_000_000), np.zeros(40_000_000))}
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_small_parquet_file_of_many_bytes_is_refused(bomb: str) -> None:
    data = parquet(BOMBS[bomb]())
    assert len(data) < 3 << 20
    assert outcome("metadata.parquet", data) == "too_large\n"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("rows.csv", b"text\n" + b"a\n" * 11),
        ("rows.jsonl", b'{"text": 1}\n' * 11),
        ("line.csv", b"text\n" + b"," * 101),
        ("line.jsonl", b'{"text": [' + b"[]," * 40 + b"[]]}"),
        ("columns.csv", b"a,b,c,d\n1,2,3,4"),
        ("columns.jsonl", b'{"a": 1, "b": 2}\n{"c": 3, "d": 4}'),
        ("rows.parquet", parquet(pa.table({"text": range(11)}))),
        ("bytes.parquet", parquet(pa.table({"text": ["a" * 10_001]}))),
    ],
)
def test_tables_past_a_limit_are_refused(
    name: str, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit, value in (("ROWS", 10), ("LINE", 100), ("COLUMNS", 3), ("BYTES", 10_000)):
        monkeypatch.setattr(rows, f"MAX_{limit}", value)
    with pytest.raises(Rejected) as caught:
        rows.read(name, data)
    assert caught.value.reason == "too_large"


def test_many_columns_are_counted_quickly() -> None:
    with pytest.raises(Rejected, match=r"more than 10,000 columns"):
        rows.read("metadata.csv", b",".join(b"%d" % i for i in range(1_000_000)))


def test_lists_of_json_are_kept_as_text() -> None:
    (row,) = rows.read("metadata.jsonl", b'{"n": {"b": "\xc3\xa4", "a": [true]}, "e": []}').rows
    assert row.cells == {"n": '{"a": [true], "b": "\u00e4"}', "e": "[]"}


def test_a_table_within_the_limits_is_read_as_it_is() -> None:
    cells = {"text": ["a", None, "\u00e4"], "n": [1, 2, 3], "l": [[1.5], [], None]}
    found = rows.read("metadata.parquet", parquet(pa.table(cells)))
    assert found.columns == ["text", "n", "l"]
    assert [row.cells for row in found.rows] == [
        {"text": "a", "n": 1, "l": "[1.5]"},
        {"n": 2, "l": "[]"},
        {"text": "\u00e4", "n": 3},
    ]


def test_text_of_parquet_that_is_not_utf8_is_kept(tmp_path: Path) -> None:
    text = pa.array([b"caf\xe9", b"", b"tea"]).view(pa.string())
    (tmp_path / "metadata.parquet").write_bytes(parquet(pa.table({"text": text, "n": [1, 2, 3]})))
    found = folder.scan(LocalFolder(tmp_path), folder.Options())
    contents = [sample.assets.get("text") for sample in found.samples]
    assert [content and content.data for content in contents] == [b"caf\xe9", None, b"tea"]  # type: ignore[union-attr]


def test_a_parquet_file_without_rows_has_columns() -> None:
    found = rows.read("metadata.parquet", parquet(pa.table({"text": pa.array([], pa.string())})))
    assert found == rows.Table(["text"], [], "row")


@pytest.mark.parametrize("cut", [0, 4, 100, -1])
def test_half_a_parquet_file_is_refused(cut: int) -> None:
    with pytest.raises(Rejected, match="not a whole Parquet file"):
        rows.read("metadata.parquet", parquet(pa.table({"text": ["a"]}))[:cut])
    with pytest.raises(Rejected, match="not a whole Parquet file"):
        rows.read("metadata.parquet", b"PAR1" * 10)


def test_a_machine_that_is_short_of_memory_refuses_no_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = parquet(pa.table({"text": ["a" * (1 << 20)] * 10}))
    assert len(rows.read("metadata.parquet", data).rows) == 10
    run = subprocess.run

    def short(command: list[str], **options: Any) -> Any:
        limit = (400 << 20, 400 << 20)
        del options["stderr"]
        return run(
            command,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limit),
            **options,
        )

    monkeypatch.setattr(subprocess, "run", short)
    large = parquet(pa.table({"text": repeated("a" * (1 << 20), pa.string(), 200)}))
    with pytest.raises(PipelineError, match="too little memory"):
        rows.read("metadata.parquet", large)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(parquet_child, "__file__", "/nowhere")
    with pytest.raises(PipelineError, match="too little memory"):
        rows.read("metadata.parquet", data)


def test_what_a_source_reads_whole_is_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "SMALL", 10)
    (tmp_path / "metadata.csv").write_text("text\n" + "a" * 20)
    (refusal,) = folder.scan(LocalFolder(tmp_path), folder.Options()).refused
    assert (refusal.subject, refusal.reason) == ("metadata.csv", "too_large")

    for name in ("duck_desc.ogg", "cat_desc.ogg", "duck.png"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "duck.txt").write_text("a duck of many letters")
    (tmp_path / "cat.txt").write_text("a cat")
    found = stamps.scan(LocalFolder(tmp_path), stamps.Options())
    assert [(refusal.subject, refusal.reason) for refusal in found.refused] == [
        ("duck.txt", "too_large")
    ]
    assert {sample.sample_id: "text" in sample.assets for sample in found.samples} == {
        "cat@en": True,
        "duck@en": False,
    }


def test_columns_without_a_name_are_none() -> None:
    (row,) = rows.read("metadata.csv", b",file_name,text,, \n0,a.png,x,,\n").rows
    assert row.cells == {"file_name": "a.png", "text": "x"}
    assert rows.read("metadata.csv", b",file_name,text,, \n").columns == ["file_name", "text"]


def test_column_names_are_in_one_form() -> None:
    table = rows.read("metadata.csv", "file_name, Gro\u0308\u00dfe \na.png, 1 \n".encode())
    assert table.columns == ["file_name", "Gr\u00f6\u00dfe"]
    assert table.rows[0].cells == {"file_name": "a.png", "Gr\u00f6\u00dfe": " 1 "}
    with pytest.raises(Rejected, match="two columns text"):
        rows.read("metadata.csv", b"text, text\na,b\n")


ARRAY = (
    '[{"text": "a", "n": 1},\n {"text": "b]", "tags": ["x"]} , [1], {"text": "c", "text": "d"}, '
    '{"n": [NaN]}]'
)


@pytest.mark.parametrize("name", ["metadata.json", "metadata.jsonl"])
@pytest.mark.parametrize("text", [ARRAY, ARRAY.replace("\n", ""), f"\ufeff\n {ARRAY}\n\n"])
def test_an_array_of_objects_is_a_table_whatever_its_ending(name: str, text: str) -> None:
    table = rows.read(name, text.encode())
    assert (table.columns, table.unit) == (["text", "n", "tags"], "item")
    assert [(row.number, row.cells) for row in table.rows if not row.problem] == [
        (1, {"text": "a", "n": 1}),
        (2, {"text": "b]", "tags": '["x"]'}),
    ]
    assert [row.number for row in table.rows if row.problem] == [3, 4, 5]


@pytest.mark.parametrize("name", ["metadata.json", "metadata.jsonl"])
def test_objects_of_a_line_each_are_a_table_whatever_its_ending(name: str) -> None:
    table = rows.read(name, b'{"text": "a"}\n\n{"text": "b"}\n{"text"\n{"a": {"b": 1, "b": 2}}\n')
    assert [(row.number, row.cells.get("text"), bool(row.problem)) for row in table.rows] == [
        (1, "a", False),
        (3, "b", False),
        (4, None, True),
        (5, None, True),
    ]
    assert "twice" in table.rows[-1].problem


@pytest.mark.parametrize("text", ['[{"a": 1}', '[{"a": 1} {"a": 2}]', "[1", '{"text": ["a", "b"]}'])
def test_what_is_no_array_of_objects_is_told(text: str) -> None:
    with pytest.raises(Rejected, match=r"metadata\.json is no array of objects"):
        rows.read("metadata.json", text.encode())


def test_an_array_is_held_to_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_LINE", 100)
    many = "[" + ",".join(['{"n": 1}'] * 50) + "]"
    assert len(rows.read("metadata.json", many.encode()).rows) == 50
    with pytest.raises(Rejected, match="an item of more than 100 letters"):
        rows.read("metadata.json", f'[{{"n": "{"x" * 101}"}}]'.encode())
    monkeypatch.setattr(rows, "MAX_ROWS", 49)
    with pytest.raises(Rejected, match="more than 49 rows"):
        rows.read("metadata.json", many.encode())


def test_lines_that_are_not_unicode_are_of_the_fallback() -> None:
    data = "text,group\nGar\u00e7on,Zo\u00eb\n".encode() + b"Gar\xe7on,Zo\xeb\n\x81,x\n"
    mixed = rows.read("metadata.csv", data, "cp1252").rows
    assert [row.cells["text"] for row in mixed] == ["Gar\u00e7on", "Gar\u00e7on", "\udc81"]
    assert [row.cells["group"] for row in mixed][:2] == ["Zo\u00eb"] * 2
    kept = rows.read("metadata.csv", data).rows
    assert [row.cells["text"] for row in kept] == ["Gar\u00e7on", "Gar\udce7on", "\udc81"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-32"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metadata.csv", "text\tn\r\n\u00c4hre\t1\r\n"),
        ("metadata.jsonl", '{"text": "\u00c4hre"}\n'),
    ],
)
def test_a_mark_says_the_encoding(encoding: str, name: str, text: str) -> None:
    (row,) = rows.read(name, text.encode(encoding)).rows
    assert row.cells["text"] == "\u00c4hre"


def workbook(*sheets: list[list[Any]]) -> bytes:
    made = openpyxl.Workbook()
    made.remove(made.active)
    for number, lines in enumerate(sheets):
        sheet = made.create_sheet(f"S{number}")
        for line in lines:
            sheet.append(line)
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def test_a_spreadsheet_is_a_table_of_typed_cells() -> None:
    day, noon = datetime.date(2020, 1, 2), datetime.datetime(2020, 1, 2, 12)
    data = workbook(
        [
            [],
            ["text ", "n", "yes", "day", None, "007"],
            ["a", 5, True, day, None, "007"],
            [],
            ["b", 0.5, False, noon, "beside"],
        ],
        [],
    )
    table = rows.read("metadata.xlsx", data)
    assert (table.columns, table.unit) == (["text", "n", "yes", "day", "007"], "row")
    assert [(row.number, dict(row.cells)) for row in table.rows] == [
        (3, {"text": "a", "n": 5.0, "yes": True, "day": "2020-01-02", "007": "007"}),
        (5, {"text": "b", "n": 0.5, "yes": False, "day": "2020-01-02 12:00:00"}),
    ]


def test_a_spreadsheet_of_two_filled_sheets_or_none_is_refused() -> None:
    with pytest.raises(Rejected, match="it has S0, S1: keep one of them"):
        rows.read("metadata.xlsx", workbook([["text"], ["a"]], [["text"], ["b"]]))
    with pytest.raises(Rejected, match="it is empty"):
        rows.read("metadata.xlsx", workbook([], []))
    for cut in (0, 100, -1):
        with pytest.raises(Rejected, match="not a whole spreadsheet"):
            rows.read("metadata.xlsx", workbook([["text"], ["a"]])[:cut])


def test_a_spreadsheet_of_too_many_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_ROWS", 10)
    assert len(rows.read("metadata.xlsx", workbook([["text"], *[["a"]] * 10])).rows) == 10
    with pytest.raises(Rejected, match="more than 10 rows"):
        rows.read("metadata.xlsx", workbook([["text"], *[["a"]] * 11]))


def test_a_spreadsheet_without_its_reader_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "find_spec", lambda name: None)
    with pytest.raises(PipelineError, match=r"pip install 'multimodal-pipeline\[excel\]'"):
        rows.read("metadata.xlsx", workbook([["text"], ["a"]]))


def test_parquets_numbers_and_times_are_as_stated() -> None:
    cells = {
        "f": pa.array([0.1, None, 2.0], pa.float32()),
        "t": pa.array([1577923200000000001, 1577836800000000000, None], pa.timestamp("ns")),
        "d": pa.array([decimal.Decimal("5.00"), decimal.Decimal("0.50"), None]),
    }
    first, second, third = rows.read("metadata.parquet", parquet(pa.table(cells))).rows
    assert first.cells["f"] == 0.1
    assert [identity.canonical(first.cells[name]) for name in "ftd"] == ["0.1", "2020-01-02", "5"]
    assert [identity.canonical(second.cells[name]) for name in "td"] == ["2020-01-01", "0.5"]
    assert third.cells == {"f": 2.0}
    year = pa.table({"t": pa.array([2**62], pa.timestamp("us"))})
    with pytest.raises(Rejected, match="not a whole Parquet file"):
        rows.read("metadata.parquet", parquet(year))
