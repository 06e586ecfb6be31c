"""What is named on the command line, as samples; no model is needed to tell."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError, Rejected
from pipeline.inference import samples as reading
from pipeline.inference.inputs import samples_of
from pipeline.inference.samples import Sample, read_asset
from pipeline.params import Params, parse
from tests.dataset import params as params_of
from tests.dataset import put_batch


@pytest.fixture(scope="module")
def params() -> Params:
    return parse(params_of())


def listed(params: Params, *inputs: str, source: str = "", stdin: bytes = b"") -> list[Sample]:
    return list(samples_of(inputs, params, source, io.BytesIO(stdin)))


def test_contents_named_by_modality_are_one_sample(params: Params) -> None:
    (sample,) = listed(params, "--image", "cat.png", "--text=une chatte", "--audio", "miaou.ogg")
    assert sample.contents == {
        "image": Path("cat.png"),
        "text": "une chatte",
        "audio": Path("miaou.ogg"),
    }
    assert sample.sample_id == "cat.png+miaou.ogg"
    both = listed(params, "dog.wav", "--text", "a cat")
    assert [set(each.contents) for each in both] == [{"text"}, {"audio"}]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "give files"),
        (["--smell", "rose"], r"unknown option '--smell'; there are: --audio, --image, --text"),
        (["--text"], "--text has no value"),
        (["--text", "a", "--text", "b"], "--text is given twice"),
    ],
)
def test_options_that_say_nothing_are_told(params: Params, inputs: list[str], message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        listed(params, *inputs)


def test_a_folder_with_a_table_has_a_sample_a_row(params: Params, tmp_path: Path) -> None:
    rows = put_batch(tmp_path / "batch", 0, 5)
    (tmp_path / "batch" / "circle-0.png").unlink()
    samples = {sample.sample_id: sample for sample in listed(params, str(tmp_path / "batch"))}
    assert list(samples) == [row["sample_id"] for row in rows]
    missing = samples["circle-0"].contents["image"]
    assert isinstance(missing, Rejected)
    assert missing.reason == "missing_file"
    assert samples["square-1"].contents["text"] == b"a angular square square-1"
    as_source = listed(params, str(tmp_path / "batch"), source="shapes")
    assert [sample.contents.keys() for sample in as_source] == [
        sample.contents.keys() for sample in samples.values()
    ]
    with pytest.raises(PipelineError, match="unknown source 'no'; there are: shapes"):
        listed(params, "--text", "words", source="no")
    with pytest.raises(PipelineError, match="unknown source 'no'; there are: shapes"):
        listed(params, str(tmp_path / "batch"), source="no")


def test_files_of_one_name_are_one_sample_where_no_table_says_more(
    params: Params, tmp_path: Path
) -> None:
    for name in ("a.png", "a.wav", "deep/a.png", "b.png", "b.jpg", "c.zip", ".hidden.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.png")
    samples = listed(params, str(tmp_path))
    told = {
        sample.sample_id.removeprefix(f"{tmp_path}/"): sorted(sample.contents) for sample in samples
    }
    assert told == {
        "a": ["audio", "image"],
        "b.jpg": ["image"],
        "b.png": ["image"],
        "c.zip": [],
        "deep/a.png": ["image"],
        "pipe.png": [],
    }
    reasons = {sample.refused.reason for sample in samples if sample.refused}
    assert reasons == {"unknown_media_type", "not_a_file"}


def test_a_table_alone_names_files_beside_it(params: Params, tmp_path: Path) -> None:
    table = tmp_path / "asked.csv"
    table.write_text(f"image_file_name,text\na.png,one\n{tmp_path}/b.png,two\nc.png\n")
    one, two, bad = listed(params, str(table))
    assert one.contents == {"image": tmp_path / "a.png", "text": b"one"}
    assert two.contents["image"] == tmp_path / "b.png"
    assert bad.refused is not None
    assert (bad.sample_id, bad.refused.reason) == ("metadata.csv:4", "bad_row")
    table.write_text("colour\nred\n")
    with pytest.raises(PipelineError, match="no column names a file or holds text"):
        listed(params, str(table))


def test_a_folder_of_nothing_is_told(params: Params, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    with pytest.raises(PipelineError, match="holds no files"):
        listed(params, str(tmp_path))


def test_a_list_is_read_to_its_end_and_has_one(
    params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = listed(params, "-", stdin=b"a.png\r\n\nb\xff.wav\nc")
    assert [sample.sample_id for sample in samples] == ["a.png", "b\\xff.wav", "c"]
    with pytest.raises(PipelineError, match="the list is empty"):
        listed(params, "-")
    with (
        pytest.raises(PipelineError, match="line 1 of the list is no path"),
        Path("/dev/zero").open("rb") as endless,
    ):
        list(samples_of(["-"], params, stdin=endless))
    monkeypatch.setattr("pipeline.inference.inputs.MAX_ROWS", 3)
    with pytest.raises(PipelineError, match="the list has more than 3 lines"):
        listed(params, "-", stdin=b"y\n" * 4)


def refusal(content: reading.Content, modality: str = "image") -> str:
    with pytest.raises(Rejected) as refused:
        read_asset(modality, content)
    return refused.value.reason


def test_what_cannot_be_read_is_refused_before_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(2 << 30)
    os.mkfifo(tmp_path / "pipe.png")
    assert refusal(tmp_path / "huge.png") == "too_large"
    assert refusal(tmp_path / "pipe.png") == "not_a_file"
    assert refusal(Path("/dev/zero")) == "not_a_file"
    assert refusal(tmp_path) == "not_a_file"
    assert refusal(tmp_path / "gone.png") == "missing_file"
    assert refusal(tmp_path / "pipe.png" / "below") == "missing_file"
    assert refusal(Path("nul\0.png")) == "bad_name"
    assert refusal(Rejected("before", "it was refused")) == "before"
    assert refusal("words") == "not_a_file"
    monkeypatch.setattr(reading, "MAX_BYTES", 3)
    assert refusal(b"four") == "too_large"


def test_an_asset_is_what_ingest_would_call_it(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    asset = read_asset("image", tmp_path / "a.png")
    assert (asset.media_type, asset.data) == ("image/png", b"\x89PNG\r\n\x1a\n")
    assert read_asset("image", asset.data) == asset
    assert read_asset("text", "wörter").data == "wörter".encode()
    assert read_asset("text", "w\udcff").data == b"w\xff"
    assert read_asset("text", b"x").media_type == "text/plain"
