"""Tables are read in bounded memory, whatever their bytes say; what is too large is refused."""

from __future__ import annotations

import io
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

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
