"""Folders with a table: every row becomes a sample or is refused."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.core.records import Inline, Sample, Scan
from pipeline.raw.folders import LocalFolder
from pipeline.raw.table_file import read
from pipeline.sources.folder import Options, scan

ROWS = [
    {
        "file_name": "a.png",
        "audio_file_name": "a.wav",
        "text": "Ähre",
        "label": "x",
        "split": "dev",
    },
    {"file_name": "b.ogg", "text": "", "label": "", "split": "test"},
]


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, sorted({name for row in rows for name in row}))
        writer.writeheader()
        writer.writerows(rows)


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path)


def only(found: Scan) -> Sample:
    assert not found.refused
    (sample,) = found.samples
    return sample


def reasons(found: Scan) -> list[tuple[str, str]]:
    return [(refusal.subject, refusal.reason) for refusal in found.refused]


def test_a_table_of_very_many_columns_costs_what_it_is_long() -> None:
    began = time.process_time()
    assert len(read("metadata.csv", ",".join(map(str, range(10_000))).encode()).columns) == 10_000
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("metadata.csv", write_csv),
        ("metadata.jsonl", write_jsonl),
        ("metadata.parquet", write_parquet),
    ],
)
def test_the_three_formats_say_the_same(tmp_path: Path, name: str, write: Any) -> None:
    write(tmp_path / name, ROWS)

    found = scan(LocalFolder(tmp_path), Options(targets={"label": "kind"}, licence="CC0-1.0"))

    assert found.metadata == [name]
    assert found.refused == []
    first, second = found.samples
    assert first == Sample(
        sample_id="a.wav+a.png",
        group=None,
        assets={"audio": "a.wav", "image": "a.png", "text": Inline("Ähre".encode(), name)},
        split_given="validation",
        licence="CC0-1.0",
        targets={"kind": "x"},
        attributes={},
    )
    assert second.assets == {"audio": "b.ogg"}
    assert second.targets == {"kind": None}
    assert second.split_given == "test"


def test_named_columns(tmp_path: Path) -> None:
    row = {"file_name": "./d//a.JPG", "sample_id": "7", "group": "ann", "age": 31, "city": "Ulm"}
    write_jsonl(tmp_path / "metadata.jsonl", [row])

    sample = only(
        scan(LocalFolder(tmp_path), Options(targets={"age": "years"}, attributes=("city",)))
    )

    assert (sample.sample_id, sample.group) == ("7", "ann")
    assert sample.assets == {"image": "d/a.JPG"}
    assert sample.targets == {"years": 31}
    assert sample.attributes == {"city": "Ulm"}


def test_a_row_of_text_alone_is_called_after_its_place(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "metadata.jsonl", [{"text": "hello"}])
    assert only(scan(LocalFolder(tmp_path), Options())).sample_id == "metadata.jsonl:1"


def test_text_that_is_not_utf8_passes_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_bytes(b"file_name,text\na.png,Gar\xe7on\n")
    assert only(scan(LocalFolder(tmp_path), Options())).assets["text"] == Inline(
        b"Gar\xe7on", "metadata.csv"
    )


def test_other_cells_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_bytes(b"file_name,group\n\xe7.png,x\nb.png,\xe7\n")
    found = scan(LocalFolder(tmp_path), Options())
    assert reasons(found) == [("metadata.csv:2", "not_utf8"), ("metadata.csv:3", "not_utf8")]


def test_bad_rows_are_refused_and_the_others_go_on(tmp_path: Path) -> None:
    rows = [
        '{"file_name": "good.png"}',
        '{"file_name": "cut.png"',
        '["a list"]',
        '{"file_name": "a.png", "split": "holdout"}',
        '{"file_name": "a.bin"}',
        '{"file_name": "a.png", "image_file_name": "b.png"}',
        '{"file_name": "a.txt", "text": "b"}',
        '{"file_name": "a.png", "label": NaN}',
        '{"file_name": "a.png", "text": "\\ud800"}',
        '{"file_name": "a.png", "\\ud800": 1}',
        "[" * 100_000,
    ]
    (tmp_path / "metadata.jsonl").write_text("\n".join(rows))

    found = scan(LocalFolder(tmp_path), Options())

    assert [sample.sample_id for sample in found.samples] == ["good.png"]
    assert [reason for _, reason in reasons(found)] == [
        "bad_row",
        "bad_row",
        "unknown_split",
        "unknown_media_type",
        "ambiguous",
        "ambiguous",
        "bad_row",
        "not_utf8",
        "bad_row",
        "bad_row",
    ]


def test_rows_of_csv_with_too_many_or_too_few_cells(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text('file_name,text\na.png,b,c\nb.png\n\nc.png,"d"\ne.png,"')
    found = scan(LocalFolder(tmp_path), Options())
    assert [sample.sample_id for sample in found.samples] == ["c.png"]
    assert reasons(found) == [(f"metadata.csv:{n}", "bad_row") for n in (2, 3, 6)]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "bad_metadata"),
        ({"metadata.csv": b""}, "bad_metadata"),
        ({"metadata.csv": b"file_name\n", "metadata.jsonl": b""}, "bad_metadata"),
        ({"metadata.csv": b"name,size\na,1\n"}, "bad_metadata"),
        ({"metadata.csv": b"file_name,file_name\na,1\n"}, "bad_metadata"),
        ({"metadata.csv": b"file_name,\xff\na,1\n"}, "bad_metadata"),
        ({"metadata.parquet": b"PAR1"}, "bad_metadata"),
        ({"metadata.csv": b"file_name,lable\na.png,1\n"}, "missing_column"),
    ],
)
def test_a_bad_table_refuses_its_batch(
    tmp_path: Path, files: dict[str, bytes], reason: str
) -> None:
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)

    found = scan(LocalFolder(tmp_path), Options(targets={"label": "kind"}))

    assert found.samples == []
    assert [refusal.reason for refusal in found.refused] == [reason]
    assert str(tmp_path) not in found.refused[0].message


def test_two_columns_cannot_be_one_target() -> None:
    with pytest.raises(ValidationError, match="more than one column"):
        Options(targets={"a": "kind", "b": "kind"})


CELL = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=6), st.lists(st.none()))
COLUMN = st.sampled_from(["file_name", "image_file_name", "text", "sample_id", "group", "split"])


@given(st.lists(st.dictionaries(COLUMN, CELL), min_size=1, max_size=6))
def test_rows_in_are_samples_and_refusals_out(rows: list[dict[str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        write_jsonl(Path(folder, "metadata.jsonl"), [{"file_name": "x.png"}, *rows])
        found = scan(LocalFolder(Path(folder)), Options())
    assert len(found.samples) + len(found.refused) == len(rows) + 1


@given(st.binary(max_size=80))
def test_any_bytes_are_a_table_or_refused(data: bytes) -> None:
    for name in ("metadata.csv", "metadata.jsonl", "metadata.parquet"):
        with TemporaryDirectory() as folder:
            Path(folder, name).write_bytes(data)
            found = scan(LocalFolder(Path(folder)), Options())
        for refusal in found.refused:
            (refusal.subject + refusal.message).encode()
        for sample in found.samples:
            sample.sample_id.encode()
