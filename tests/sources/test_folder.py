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


def test_films_by_their_ending_or_by_their_column(tmp_path: Path) -> None:
    rows = [{"file_name": "a.mp4"}, {"image_file_name": "b.png", "video_file_name": "b.gif"}]
    write_jsonl(tmp_path / "metadata.jsonl", rows)

    first, second = scan(LocalFolder(tmp_path), Options()).samples

    assert first.assets == {"video": "a.mp4"}
    assert second.assets == {"image": "b.png", "video": "b.gif"}


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


def put(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"")


def test_columns_are_what_the_options_say(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "a.wav")
    row = {"image": "a.png", "path": "a.wav", "caption": "x", "text": "y", "speaker": 5.0, "k": "v"}
    write_jsonl(tmp_path / "metadata.jsonl", [row])
    columns = {
        "image": "image_file_name",
        "path": "file_name",
        "caption": "text",
        "text": "group",
        "speaker": "sample_id",
    }
    options = Options(columns=columns, targets={"speaker": "who"}, attributes=("text",))
    assert only(scan(LocalFolder(tmp_path), options)) == Sample(
        sample_id="5",
        group="y",
        assets={
            "image": "a.png",
            "audio": "a.wav",
            "text": Inline(b"x", "metadata.jsonl"),
        },
        targets={"who": 5.0},
        attributes={"text": "y"},
    )


def test_a_column_beside_the_one_that_is_to_mean_it_refuses_the_table(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "metadata.jsonl", [{"text": "a", "caption": "b"}])
    (refusal,) = scan(LocalFolder(tmp_path), Options(columns={"caption": "text"})).refused
    assert "two columns are one thing by the source's option `columns`: caption and text" in (
        refusal.message
    )
    swapped = Options(columns={"caption": "text", "text": "group"})
    sample = only(scan(LocalFolder(tmp_path), swapped))
    assert (sample.group, sample.assets["text"]) == ("a", Inline(b"b", "metadata.jsonl"))


@pytest.mark.parametrize("column", ["image", "audio", "path", "filename"])
def test_a_table_without_a_column_of_ours_is_told_the_one_that_names_files(
    tmp_path: Path, column: str
) -> None:
    ending = "wav" if column == "audio" else "png"
    put(tmp_path, *(f"d/{n}.{ending}" for n in range(3)))
    rows = [{column: f"d/{n}.{ending}", "label": "x"} for n in range(3)]
    write_csv(tmp_path / "metadata.csv", rows)
    (refusal,) = scan(LocalFolder(tmp_path), Options()).refused
    modality = "audio" if column == "audio" else "image"
    assert refusal.message.startswith("no column names a file or holds text; there are: ")
    assert f"its column {column} names 3 of the batch's files" in refusal.message
    assert f"`columns: {{{column}: {modality}_file_name}}`" in refusal.message


def test_a_url_stays_as_it_is_and_its_path_has_the_ending(tmp_path: Path) -> None:
    urls = ["https://a.example.org//x/1.PNG?a=.wav", "s3://b/a?#1.wav", "http://[::1", "http://a/b"]
    write_csv(tmp_path / "metadata.csv", [{"file_name": url} for url in urls])
    scanned = scan(LocalFolder(tmp_path), Options())
    assert [sample.assets for sample in scanned.samples] == [{"image": urls[0]}, {"audio": urls[1]}]
    assert [refusal.reason for refusal in scanned.refused] == ["unknown_media_type"] * 2


def test_files_of_several_modalities_are_named_by_one_column(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.wav")
    write_csv(tmp_path / "metadata.csv", [{"path": "a.png", "text": "x"}, {"path": "b.wav"}])
    assert "`columns: {path: file_name}`" in scan(LocalFolder(tmp_path), Options()).advice


def test_a_folder_is_a_class_where_there_is_no_table(tmp_path: Path) -> None:
    put(
        tmp_path, "train/cat/1.png", "train/cat/deep/2.jpg", "test/dog/1.png", "val/dog/x.wav",
        "README.md", "cover.png", "train/cat/notes.dat", "train/lost.png",
    )  # fmt: skip
    found = scan(LocalFolder(tmp_path), Options(folders="animal", licence="MIT"))
    assert not found.refused
    assert [(s.sample_id, s.split_given, s.targets) for s in found.samples] == [
        ("test/dog/1.png", "test", {"animal": "dog"}),
        ("train/cat/1.png", "train", {"animal": "cat"}),
        ("train/cat/deep/2.jpg", "train", {"animal": "cat"}),
        ("val/dog/x.wav", "validation", {"animal": "dog"}),
    ]
    assert [dict(s.assets) for s in found.samples][2:] == [
        {"image": "train/cat/deep/2.jpg"},
        {"audio": "val/dog/x.wav"},
    ]
    assert {s.licence for s in found.samples} == {"MIT"}

    (refusal,) = scan(LocalFolder(tmp_path), Options()).refused
    assert "name their target by the source's option `folders`" in refusal.message


def test_a_table_in_the_folder_of_each_split(tmp_path: Path) -> None:
    for split in ("train", "Test"):
        put(tmp_path, f"{split}/0.png", f"{split}/1.png")
    write_csv(tmp_path / "train/metadata.csv", [{"file_name": "0.png"}, {"file_name": "1.png"}])
    write_csv(
        tmp_path / "Test/metadata.csv",
        [{"file_name": "0.png", "split": "dev"}, {"file_name": "../train/0.png", "split": ""}],
    )
    scanned = scan(LocalFolder(tmp_path), Options())
    assert [(sample.assets["image"], sample.split_given) for sample in scanned.samples] == [
        ("Test/0.png", "validation"),
        ("Test/../train/0.png", "test"),
        ("train/0.png", "train"),
        ("train/1.png", "train"),
    ]
    assert scanned.samples[0].where == "Test/metadata.csv, line 2: "
    assert sorted(scanned.metadata) == ["Test/metadata.csv", "train/metadata.csv"]
    standing = scan(LocalFolder(tmp_path), Options(splits=("test",))).samples
    assert [sample.split_given for sample in standing] == [None, "test", None, None]

    write_csv(tmp_path / "Test/metadata.csv", [{"name": "0.png"}])
    scanned = scan(LocalFolder(tmp_path), Options())
    assert reasons(scanned) == [("Test/metadata.csv", "bad_metadata")]
    assert len(scanned.samples) == 2
    # A table at the root goes before all others.
    write_csv(tmp_path / "metadata.csv", [{"file_name": "train/0.png"}])
    assert only(scan(LocalFolder(tmp_path), Options())).split_given is None


def test_classes_without_splits(tmp_path: Path) -> None:
    put(tmp_path, "cat/1.png", "dog/1.png")
    found = scan(LocalFolder(tmp_path), Options(folders="animal"))
    assert [(s.split_given, s.targets) for s in found.samples] == [
        (None, {"animal": "cat"}),
        (None, {"animal": "dog"}),
    ]


def test_a_table_by_another_name_is_told(tmp_path: Path) -> None:
    put(tmp_path, "train.csv")
    (refusal,) = scan(LocalFolder(tmp_path), Options()).refused
    assert "is it train.csv? Then rename it" in refusal.message


def test_a_table_of_another_encoding_has_groups_and_labels_too(tmp_path: Path) -> None:
    table = "file_name,group,label,text\nGar\u00e7on.png,Zo\u00eb,caf\u00e9,na\u00efve\n"
    (tmp_path / "metadata.csv").write_bytes(table.encode("cp1252"))
    options = Options(targets={"label": "kind"}, fallback="cp1252")
    sample = only(scan(LocalFolder(tmp_path), options))
    assert (sample.group, sample.targets) == ("Zo\u00eb", {"kind": "caf\u00e9"})
    assert sample.assets == {
        "image": "Gar\u00e7on.png",
        "text": Inline("na\u00efve".encode(), "metadata.csv"),
    }
    (refusal,) = scan(LocalFolder(tmp_path), Options(targets={"label": "kind"})).refused
    assert refusal.message == (
        "metadata.csv, line 2: column file_name: 'Gar\\xe7on.png' is not UTF-8; write the table as "
        "UTF-8, or say its encoding by the source's option fallback, such as cp1252"
    )


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


FILMS = {"file_name": "a.mp4", "start": "", "end": ""}


def films(tmp_path: Path, rows: list[dict[str, Any]], **options: Any) -> Scan:
    write_csv(tmp_path / "metadata.csv", [FILMS | row for row in rows])
    return scan(LocalFolder(tmp_path), Options.model_validate(options))


def test_a_film_gives_the_modalities_that_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "b.srt").touch()
    rows = [{}, {"file_name": "b.mp4"}, {"file_name": "c.png"}]
    scanned = films(tmp_path, rows, from_video=["audio", "image", "text"])
    whole, beside, picture = scanned.samples
    assert whole.assets == dict.fromkeys(("video", "audio", "image", "text"), "a.mp4")
    assert whole.sample_id == "a.mp4"
    assert beside.assets == dict.fromkeys(("video", "audio", "image"), "b.mp4") | {"text": "b.srt"}
    assert picture.assets == {"image": "c.png"}
    with pytest.raises(ValidationError, match="video gives no 'smell'; say audio, image, text"):
        Options.model_validate({"from_video": ["smell"]})


def test_a_recording_gives_text_where_the_row_has_none(tmp_path: Path) -> None:
    (tmp_path / "d.vtt").touch()
    names = ("a.wav", "b.wav", "c.png", "d.mp3")
    rows = [{"file_name": name, "text": "said" if name == "b.wav" else ""} for name in names]
    heard, written, picture, beside = films(tmp_path, rows, from_audio=["text"]).samples
    assert heard.assets == {"audio": "a.wav", "text": "a.wav"}
    assert beside.assets == {"audio": "d.mp3", "text": "d.vtt"}
    assert written.assets["text"] == Inline(b"said", "metadata.csv")
    assert picture.assets == {"image": "c.png"}
    with pytest.raises(ValidationError, match="audio gives no 'image'; say text"):
        Options.model_validate({"from_audio": ["image"]})


def test_a_row_may_be_a_span_and_spans_of_a_file_are_one_group(tmp_path: Path) -> None:
    rows = [
        {"start": "0", "end": "2.5", "text": "spoken", "image_file_name": "poster.png"},
        {"start": "2.5", "end": "4", "text_file_name": "words.vtt"},
    ]
    first, second = films(tmp_path, rows, from_video=["audio", "text"]).samples
    assert first.assets == {
        "video": "a.mp4#t=0,2.5",
        "audio": "a.mp4#t=0,2.5",
        "text": Inline(b"spoken", "metadata.csv"),
        "image": "poster.png",
    }
    assert second.assets["text"] == "words.vtt#t=2.5,4"
    assert {first.group, second.group} == {"a.mp4"}
    assert first.sample_id != second.sample_id
    (spelt,) = films(tmp_path, [{"file_name": "a.mp4#t=2.5,4"}], from_video=["audio"]).samples
    assert spelt.assets == dict.fromkeys(("video", "audio"), "a.mp4#t=2.5,4")
    assert spelt.group == "a.mp4"


def test_a_span_that_is_none_is_refused(tmp_path: Path) -> None:
    times = [("1", ""), ("", "1"), ("2", "2"), ("3", "2"), ("-1", "2"), ("soon", "late")]
    rows = [{"start": start, "end": end} for start, end in times]
    rows += [{"start": "0", "end": "1", "file_name": "https://example.org/a.mp4"}]
    assert {reason for _, reason in reasons(films(tmp_path, rows))} == {"bad_span"}
    # Of what has no time, such columns say something else.
    (sample,) = films(tmp_path, [{"file_name": "a.png", "start": "soon"}]).samples
    assert sample.assets == {"image": "a.png"}
