"""Raw batches become tables; whatever is wrong with them is counted, and opened never."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections import Counter
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest_cache import DigestCache
from pipeline.core.records import Reject
from pipeline.parts import manifest
from pipeline.parts.summary import Summary
from pipeline.raw.catalogue import catalogue
from pipeline.raw.held_samples import read_held, write_held
from pipeline.raw.roots import Raw
from pipeline.sources import folder
from pipeline.stages.plans import ingest
from tests.recipe import recipe

PNG = b"\x89PNG\r\n\x1a\n picture"
OGG = b"OggS sound"
MODALITIES = ("audio", "image", "text")
ROOT = Path("data")


pytestmark = pytest.mark.usefixtures("inside")


def put(batch: str, files: Mapping[str, bytes], rows: list[dict[str, Any]] | None = None) -> Path:
    at = ROOT / "raw" / batch
    at.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_bytes(data)
    if rows is not None:
        (at / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return at


def run(
    *sources: str, options: folder.Options | None = None, limit: float = 1.0, **targets: Any
) -> Summary:
    settings = (options or folder.Options()).model_dump()
    params = recipe(
        sources={name: {"kind": "folder", **settings} for name in sources},
        targets={name: {"kind": kind} for name, kind in targets.items()},
        ingest={"reject_limit": limit},
    )
    return ingest.plan(params, root=ROOT).run()


def samples() -> list[dict[str, Any]]:
    return sorted(manifest.read(ROOT / "samples").to_pylist(), key=lambda row: row["sample_id"])


def assets(modality: str) -> list[dict[str, Any]]:
    return manifest.read(ROOT / "assets" / modality).to_pylist()


def rejects() -> list[Reject]:
    out = ROOT / "samples"
    return sorted(manifest.rejects(out.joinpath))


def counted(source: str, batch: str) -> dict[str, Any]:
    counts: dict[str, Any] = json.loads((ROOT / "ingest.json").read_text())[source][batch]
    return counts


def strict(source: dict[str, Any], **ingesting: Any) -> Summary:
    """A run in which nothing may be missing but what `ingesting` says."""
    options = {"reject_limit": 0.05, "optional": [], "unused_limit": 0.5, **ingesting}
    params = recipe(
        sources={"f": {"kind": "folder", **source}},
        targets={"kind": {"kind": "multiclass"}},
        modalities=["image", "text"],
        ingest=options,
    )
    return ingest.plan(params, root=ROOT).run()


def outputs() -> dict[str, bytes]:
    found = [*ROOT.glob("samples/*"), *ROOT.glob("assets/*/*"), ROOT / "ingest.json"]
    return {path.as_posix(): path.read_bytes() for path in found}


def test_samples_and_assets() -> None:
    row = {"file_name": "a.png", "audio_file_name": "s/a.ogg", "text": "Ähre", "sample_id": "1"}
    row |= {"group": "ann", "split": "train", "age": 31, "kind": "grain"}
    put("pictures/b1", {"a.png": PNG, "s/a.ogg": OGG, "left.txt": b"?"}, [row])
    options = folder.Options(
        targets={"age": "age", "kind": "kind"}, attributes=("kind",), licence="CC0-1.0"
    )

    summary = run("pictures", options=options, age="regression", kind="multiclass")

    assert (summary.rows, summary.rejected) == (1, 0)
    assert samples() == [
        {
            "sample_id": "pictures/b1/1",
            "source": "pictures",
            "batch": "b1",
            "group": "ann",
            "split_given": "train",
            "licence": "CC0-1.0",
            "target.age": 31.0,
            "target.kind": "grain",
            "attributes": [("kind", "grain")],
            "audio": sha256(OGG).hexdigest(),
            "image": sha256(PNG).hexdigest(),
            "text": sha256("Ähre".encode()).hexdigest(),
        }
    ]
    assert assets("image") == [
        {
            "digest": sha256(PNG).hexdigest(),
            "source": "pictures",
            "batch": "b1",
            "size": len(PNG),
            "media_type": "image/png",
            "locator": "pictures/b1/a.png",
            "data": None,
        }
    ]
    (text,) = assets("text")
    assert (text["data"], text["media_type"]) == ("Ähre".encode(), "text/plain")
    assert text["locator"] == "pictures/b1/metadata.jsonl"
    counted = json.loads((ROOT / "ingest.json").read_text())["pictures"]["b1"]
    assert (counted["files"], counted["used"], counted["unused"]) == (4, 3, 1)
    assert counted["unused_by_suffix"] == {".txt": 1}


def test_an_asset_belongs_to_the_first_batch_that_holds_it() -> None:
    put("z/b1", {"z.png": PNG}, [{"file_name": "z.png"}])
    put("a/b2", {"late.png": PNG}, [{"file_name": "late.png"}])
    put("a/b1", {"2.png": PNG, "1.png": PNG}, [{"file_name": "2.png"}, {"file_name": "1.png"}])

    run("z", "a")

    assert [asset["locator"] for asset in assets("image")] == ["a/b1/1.png"]
    assert {sample["image"] for sample in samples()} == {sha256(PNG).hexdigest()}
    assert [sample["group"] for sample in samples()] == [
        sample["sample_id"] for sample in samples()
    ]
    assert len(samples()) == 4


def test_the_tenth_batch_comes_after_the_ninth() -> None:
    for batch in ("b9", "b10"):
        put(f"a/{batch}", {"1.png": PNG}, [{"file_name": "1.png"}])

    run("a")

    assert [asset["locator"] for asset in assets("image")] == ["a/b9/1.png"]
    assert [*json.loads((ROOT / "ingest.json").read_text())["a"]] == ["b9", "b10"]


def test_media_types_come_from_content_and_else_from_the_name() -> None:
    files = {"wrong.jpg": PNG, "text.ogg": b"no sound", "v.svg": b"\xef\xbb\xbf <svg/>"}
    rows = [{"image_file_name": "wrong.jpg"}, {"file_name": "text.ogg"}, {"file_name": "v.svg"}]
    put("f/b", files, rows)

    run("f")

    types = {a["locator"]: a["media_type"] for m in ("image", "audio") for a in assets(m)}
    assert types == {
        "f/b/wrong.jpg": "image/png",
        "f/b/text.ogg": "audio/ogg",
        "f/b/v.svg": "image/svg+xml",
    }


def test_bad_input_is_refused_and_never_opened() -> None:
    names = ["good.png", "gone.png", "../secret.png", "pipe.png", "out.png", "dir.png", "in.png"]
    rows: list[dict[str, Any]] = [{"file_name": name} for name in names]
    rows += [{"file_name": "/etc/hostname.png"}, {"audio_file_name": "socket.wav"}]
    rows += [{"sample_id": "twin", "file_name": name} for name in ("good.png", "in.png")]
    rows += [{"sample_id": "empty"}, {"sample_id": "old", "file_name": "good.png", "age": "old"}]
    at = put("f/b", {"good.png": PNG, "dir.png/inside": b""}, rows)
    put("f", {"secret.png": PNG, ".gitignore": b"", "b.dvc": b""})
    os.mkfifo(at / "pipe.png")  # opening it would block for ever
    (at / "out.png").symlink_to(ROOT.absolute() / "raw" / "f" / "secret.png")
    (at / "in.png").symlink_to("good.png")
    (at / "loop").symlink_to("loop")
    (at / "linked").symlink_to(".")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(at / "socket.wav"))
        summary = run("f", options=folder.Options(targets={"age": "age"}), age="regression")

    assert [sample["sample_id"] for sample in samples()] == ["f/b/good.png", "f/b/in.png"]
    refused = Counter((r.subject_kind, r.subject.removeprefix("f/b/"), r.reason) for r in rejects())
    assert refused == {
        ("file", "linked", "not_a_file"): 1,
        ("file", "loop", "missing_file"): 1,
        ("file", "out.png", "outside_folder"): 1,
        ("file", "pipe.png", "not_a_file"): 1,
        ("file", "socket.wav", "not_a_file"): 1,
        ("file", "../secret.png", "outside_folder"): 1,
        ("file", "/etc/hostname.png", "outside_folder"): 1,
        ("file", "dir.png", "missing_file"): 1,
        ("file", "gone.png", "missing_file"): 1,
        ("sample", "../secret.png", "no_modality"): 1,
        ("sample", "/etc/hostname.png", "no_modality"): 1,
        ("sample", "dir.png", "no_modality"): 1,
        ("sample", "empty", "no_modality"): 1,
        ("sample", "gone.png", "no_modality"): 1,
        ("sample", "old", "bad_target"): 1,
        ("sample", "out.png", "no_modality"): 1,
        ("sample", "pipe.png", "no_modality"): 1,
        ("sample", "socket.wav", "no_modality"): 1,
        ("sample", "twin", "duplicate_sample_id"): 2,
    }
    counted = json.loads((ROOT / "ingest.json").read_text())["f"]["b"]
    assert (counted["samples"], counted["refused"], counted["missing"]) == (2, 5, 4)
    assert counted["rejects_by_kind"] == {"file": 9, "sample": len(rows) - 2}
    assert summary.rows == 2
    assert summary.rejected == sum(refused.values())
    assert not any(str(Path.cwd()) in reject.message for reject in rejects())


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("gone.png", "missing_file"),
        ("../secret.png", "outside_folder"),
        ("out.png", "outside_folder"),
        ("pipe.png", "not_a_file"),
    ],
)
def test_a_refused_file_empties_its_modality_and_is_told_once(path: str, reason: str) -> None:
    rows = [{"image_file_name": path, "text": text, "sample_id": text} for text in ("one", "two")]
    at = put("f/b", {}, [*rows, {"image_file_name": path, "sample_id": "none"}])
    put("f", {"secret.png": PNG})
    os.mkfifo(at / "pipe.png")
    (at / "out.png").symlink_to(ROOT.absolute() / "raw" / "f" / "secret.png")

    summary = run("f")

    assert [(s["sample_id"], s["image"], s["text"]) for s in samples()] == [
        ("f/b/one", None, sha256(b"one").hexdigest()),
        ("f/b/two", None, sha256(b"two").hexdigest()),
    ]
    assert [r.reason for r in rejects() if (r.subject_kind, r.subject) == ("file", path)] == [
        reason
    ]
    (lost,) = (reject for reject in rejects() if reject.subject_kind == "sample")
    assert (lost.subject, lost.reason) == ("f/b/none", "no_modality")
    assert lost.message.endswith(f"; refused: {path}")
    assert (summary.rows, summary.rejected) == (2, len(rejects()))


def test_rows_and_files_are_held_to_the_limit_each_by_themselves() -> None:
    rows: list[dict[str, Any]] = [
        {"image_file_name": f"{n}.png", "text": str(n), "sample_id": str(n)} for n in range(10)
    ]
    files = {f"{n}.png": PNG + bytes([n]) for n in range(8)}  # and texts, which are no files
    put("f/b", files, rows)
    assert run("f", limit=0.2).rows == 10
    with pytest.raises(PipelineError, match=r"(?s)ingest: 2 of 10 files .* 2 missing_file"):
        run("f", limit=0.19)
    put("f/b", {f"{n}.png": PNG + bytes([n]) for n in (8, 9)}, [*rows, {"sample_id": "none"}])
    with pytest.raises(PipelineError, match=r"(?s)ingest: 1 of 11 rows .* 1 no_modality"):
        run("f", limit=0.09)


@pytest.mark.parametrize(
    ("configured", "cache"),
    [
        ("[core]\n    analytics = false\n", ".dvc/cache"),
        ("[cache]\n    type = symlink\n    dir = ../shared\n", "shared"),
        ("[cache]\n    dir = {here}/shared\n", "shared"),
    ],
)
@pytest.mark.parametrize("name", ["config", "config.local"])
def test_links_into_dvcs_cache_are_files(
    configured: str, cache: str, name: str, inside: Path
) -> None:
    at = put("f/b", {}, [{"file_name": "a.png"}, {"file_name": "out.png"}])
    (inside / ".dvc").mkdir()
    (inside / ".dvc" / name).write_text(configured.format(here=inside))
    for link, target in (("a.png", f"{cache}/files/md5/ab/cdef"), ("out.png", "else/where")):
        (inside / target).parent.mkdir(parents=True)
        (inside / target).write_bytes(PNG)
        (at / link).symlink_to(inside / target)

    run("f")

    assert [asset["locator"] for asset in assets("image")] == ["f/b/a.png"]
    assert [(r.subject, r.reason) for r in rejects() if r.subject_kind == "file"] == [
        ("out.png", "outside_folder")
    ]


def test_a_configuration_of_dvc_that_cannot_be_read_is_told(inside: Path) -> None:
    at = put("f/b", {}, [{"file_name": "a.png"}])
    (at / "a.png").symlink_to("/dev/null")
    (inside / ".dvc").mkdir()
    (inside / ".dvc" / "config").write_text("[cache\n")
    with pytest.raises(PipelineError, match=r"\.dvc/config.* cannot be read"):
        run("f")


def test_names_that_are_not_utf8_are_counted() -> None:
    at = put("f/b", {"a.png": PNG}, [{"file_name": "a.png"}])
    Path(os.fsdecode(os.fsencode(at) + b"/\xff.png")).write_bytes(PNG)
    run("f")
    assert [(r.subject, r.reason) for r in rejects()] == [("\\xff.png", "bad_name")]


def test_a_bad_batch_is_told_and_the_others_go_on() -> None:
    put("f/good", {"a.png": PNG}, [{"file_name": "a.png"}])
    put("f/bad", {"a.png": PNG})

    run("f")

    assert [sample["batch"] for sample in samples()] == ["good"]
    assert [(r.batch, r.reason) for r in rejects()] == [("bad", "bad_metadata")]
    counted = json.loads((ROOT / "ingest.json").read_text())["f"]["bad"]
    assert (counted["samples"], counted["unused"], counted["rejects"]) == (0, 1, 1)


def test_modalities_that_params_leave_out_are_unused() -> None:
    rows = [{"file_name": "a.png", "audio_file_name": "a.ogg"}, {"file_name": "b.mp4"}]
    put("f/b", {"a.png": PNG, "a.ogg": OGG, "b.mp4": b"...."}, rows)

    ingest.plan(recipe(sources={"f": {"kind": "folder"}}, modalities=["image"]), root=ROOT).run()

    assert manifest.read(ROOT / "samples").column_names[-1] == "image"
    assert [reject.reason for reject in rejects()] == ["no_modality"]
    counted = json.loads((ROOT / "ingest.json").read_text())["f"]["b"]
    assert counted["unused_by_suffix"] == {".mp4": 1, ".ogg": 1}


def test_what_was_made_of_a_modality_that_params_no_longer_name_is_removed() -> None:
    put("f/b", {"a.png": PNG, "a.ogg": OGG}, [{"file_name": "a.png", "audio_file_name": "a.ogg"}])
    run("f")
    assert assets("audio")
    ingest.plan(recipe(sources={"f": {"kind": "folder"}}, modalities=["image"]), root=ROOT).run()
    assert [path.name for path in (ROOT / "assets").iterdir()] == ["image"]


def test_past_its_limit_the_stage_fails_and_the_outputs_stand() -> None:
    put("f/b", {"a.png": PNG}, [{"file_name": "a.png"}])
    run("f", limit=0.4)
    before = outputs()
    put("f/b", {}, [{"file_name": "a.png"}, {"file_name": "gone.png"}])

    with pytest.raises(PipelineError, match="1 missing_file"):
        run("f", limit=0.4)

    assert {name: data for name, data in outputs().items() if name in before} == before


def test_samples_that_are_held_stay_out_and_come_back_as_they_were() -> None:
    """No limit counts them, and their files are not unused."""
    rows = [
        {
            "sample_id": f"s{i}",
            "audio_file_name": "a.ogg",
            "image_file_name": f"{i}.png",
            "text": "x",
        }
        for i in range(2)
    ]
    put("mine/b1", {"a.ogg": OGG, "0.png": PNG, "1.png": PNG + b"1"}, rows)
    run("mine", limit=0.0)
    before = {path: path.read_bytes() for path in ROOT.rglob("*.parquet")}
    unused = counted("mine", "b1")["unused"]
    place = ROOT / "raw" / "mine"
    write_held(place, {("b1", "s1"): "its label\nis none", ("b2", "s0"): "of another batch"})
    assert read_held(place)["b1", "s1"] == "its label\nis none"
    summary = run("mine", limit=0.0)
    assert (summary.rows, summary.reasons) == (1, {"held": 1})
    assert [(r.subject_kind, r.subject, r.message) for r in rejects()] == [
        ("sample", "mine/b1/s1", "its label\nis none")
    ]
    assert [row["sample_id"] for row in samples()] == ["mine/b1/s0"]
    assert (counted("mine", "b1")["unused"], counted("mine", "b1")["samples"]) == (unused, 1)
    write_held(place, {})
    run("mine", limit=0.0)
    assert {path: path.read_bytes() for path in ROOT.rglob("*.parquet")} == before
    (place / "held.csv").write_text("batch,sample,why\nb1,s1\n")
    with pytest.raises(PipelineError, match=r"held\.csv, line 2: write batch,sample,why"):
        run("mine")
    (place / "held.csv").write_bytes("batch,sample,why\nb1,s1,außen\n".encode("latin-1"))
    with pytest.raises(PipelineError, match=r"held\.csv, line 1: write batch,sample,why"):
        run("mine")


def test_a_source_without_batches_is_a_mistake() -> None:
    put("photos", {"metadata.csv": b""})
    with pytest.raises(PipelineError, match=r"'photos' has no batch: put one at data/raw/photos/"):
        run("photos")


def test_a_new_batch_leaves_the_parts_of_others() -> None:
    for batch in ("b1", "b2"):
        files = {f"{batch}{n}.png": PNG + bytes([n]) for n in range(20)}
        put(f"f/{batch}", files, [{"file_name": name} for name in files])
    run("f")
    before = set(outputs())
    put("f/b3", {"c.png": b"new"}, [{"file_name": "c.png"}])

    summary = run("f")

    assert summary.computed == 1
    assert before <= set(outputs())
    assert run("f").computed == 0


def test_from_scratch_or_step_by_step_the_bytes_are_the_same() -> None:
    put("f/b2", {"a.png": PNG}, [{"file_name": "a.png"}])
    run("f")
    put("f/b1", {"b.png": PNG}, [{"file_name": "b.png"}, {"file_name": "gone.png"}])
    put("f/b2", {"a.png": b"another"}, None)
    run("f")
    stepwise = outputs()
    for path in stepwise:
        Path(path).unlink()
    shutil.rmtree(".pipeline")
    run("f")
    assert outputs() == stepwise


def test_stamps_and_a_folder_feed_one_run() -> None:
    put("stamps/1", {"food/pie_desc_fr.ogg": OGG, "food/pie.png": PNG, "food/pie.dat": b""})
    put("mine/1", {"a.ogg": OGG}, [{"file_name": "a.ogg", "label": "food"}])
    params = recipe(
        sources={
            "stamps": {"kind": "stamps"},
            "mine": {"kind": "folder", "targets": {"label": "category"}},
        },
        targets={"category": {"kind": "multiclass"}, "language": {"kind": "multiclass"}},
        ingest={"reject_limit": 0.0},
    )
    ingest.plan(params, root=ROOT).run()

    told = [(s["sample_id"], s["target.category"], s["target.language"]) for s in samples()]
    assert told == [("mine/1/a.ogg", "food", None), ("stamps/1/food/pie@fr", "food", "fr")]
    assert [asset["locator"] for asset in assets("audio")] == ["mine/1/a.ogg"]


ROW = st.fixed_dictionaries(
    {"file_name": st.sampled_from(["a.png", "b.png", "gone.png", "c.ogg", "..", "d.bin", "l.png"])},
    optional={
        "sample_id": st.sampled_from("123456"),
        "split": st.sampled_from(["dev", "odd"]),
        "text": st.just("text"),
    },
)


@settings(max_examples=50)
@given(st.lists(ROW, min_size=1, max_size=8))
def test_rows_in_are_samples_and_rejects_out(rows: list[dict[str, Any]]) -> None:
    with TemporaryDirectory() as raw:
        at = Path(raw, "f", "b")
        at.mkdir(parents=True)
        for name in ("a.png", "b.png", "c.ogg", "unused"):
            (at / name).write_bytes(b"...")
        (at / "l.png").symlink_to("/")
        (at / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        sources = {"f": ("folder", folder.Options())}
        (batch,) = catalogue(Raw(Path(raw), {}), sources, MODALITIES, {}, DigestCache({}))
    kinds = Counter(reject.subject_kind for reject in batch.rejects)
    assert len(batch.samples) + kinds["sample"] + kinds["row"] == len(rows)
    assert (
        len({reject.subject for reject in batch.rejects if reject.subject_kind == "file"})
        == (kinds["file"])
    )
    assert len({sample["sample_id"] for sample in batch.samples}) == len(batch.samples)
    counts = batch.counts
    assert counts["files"] == counts["used"] + counts["unused"] + counts["refused"] == 6
    assert counts["refused"] + counts["missing"] == kinds["file"]
    assert counts["rejects_by_kind"] == dict(kinds)


def test_what_is_no_modality_does_not_stay_among_the_assets() -> None:
    put("mine/first", {"a.png": PNG})
    run("mine")
    (ROOT / "assets" / ".image.driver").write_text("left by a killed stage")
    (ROOT / "assets" / "video").mkdir()
    run("mine")
    assert {path.name for path in (ROOT / "assets").iterdir()} == set(MODALITIES)


def put_kaggle(column: str = "image", count: int = 40, batch: str = "f/b") -> None:
    """Pictures under a column that this source does not read, beside a text that it does."""
    rows = [{column: f"{n}.png", "text": f"text {n}", "kind": "xy"[n % 2]} for n in range(count)]
    put(batch, {f"{n}.png": PNG + bytes([n]) for n in range(count)}, rows)


@pytest.mark.parametrize("column", ["image", "path", "filename", "Bild"])
def test_a_modality_without_assets_is_an_error_that_says_the_way_out(column: str) -> None:
    put_kaggle(column)
    options = {"targets": {"kind": "kind"}}
    with pytest.raises(PipelineError, match="no sample has any image") as caught:
        strict(options)
    assert "40 files of image" in str(caught.value)
    assert f"`columns: {{{column}: image_file_name}}`" in str(caught.value)
    assert not (ROOT / "samples").exists()

    assert strict({**options, "columns": {column: "image_file_name"}}).rows == 40
    assert len(assets("image")) == 40
    assert samples()[0]["image"] == sha256(PNG + b"\0").hexdigest()


def test_a_modality_may_be_optional_yet_its_files_may_not_lie_unused() -> None:
    put("f/b", {}, [{"text": "one"}, {"text": "two"}])
    with pytest.raises(PipelineError, match=r"any image.*\n.*`ingest.optional: \[image\]`"):
        strict({})
    assert strict({}, optional=["image"]).rows == 2
    put_kaggle(batch="f/c")
    for optional in ([], ["image"]):
        with pytest.raises(PipelineError, match=r"columns: \{image: image_file_name\}"):
            strict({}, optional=optional)
    assert strict({}, optional=["image"], unused_limit=1.0).rows == 42


def test_one_batch_whose_files_no_sample_uses_is_not_lost_among_many() -> None:
    rows = [{"image_file_name": f"{n}.png", "text": str(n)} for n in range(100)]
    put("f/b1", {f"{n}.png": PNG + bytes([n]) for n in range(100)}, rows)
    assert strict({}).rows == 100
    put_kaggle(count=3, batch="f/b2")
    with pytest.raises(PipelineError, match=r"f/b2: 3 of 3 of image\. .*columns: \{image"):
        strict({})
    assert strict({}, unused_limit=1.0).rows == 103
    assert counted("f", "b2")["unused_by_modality"] == {"image": 3}


def test_a_table_that_cannot_be_used_is_no_share_of_a_row() -> None:
    rows = [{"image_file_name": f"{n}.png", "text": str(n)} for n in range(100)]
    put("f/b1", {f"{n}.png": PNG + bytes([n]) for n in range(100)}, rows)
    lines = [f'id{n},"text {n}"' for n in range(50)]
    lines[20], lines[30] = 'id20,"text', 'id30,text"'
    put("f/b2", {"metadata.csv": "\n".join(["sample_id,text", *lines]).encode()})
    with pytest.raises(PipelineError, match=r"f/b2: metadata\.csv: quotation marks .* line 22 and"):
        strict({}, reject_limit=0.5)
    assert strict({}, reject_limit=1.0).rows == 100


def test_one_name_has_one_form_in_every_table() -> None:
    zoe = ("Zo\u00eb", "Zoe\u0308")
    typed = {
        "group": [5.0, 6.0, 7.5],
        "kind": [1.0, 2.0, 3.0],
        "text": ["a", "b", "c"],
        "sample_id": [1.0, 2.0, 3.0],
    }
    at = put("f/parquet", {})
    pq.write_table(pa.table(typed), at / "metadata.parquet")
    narrow = {**typed, "group": pa.array([5, 6, 7.5], pa.float32()), "kind": ["1", "2 ", "\u00a03"]}
    pq.write_table(pa.table(narrow), put("f/narrow", {}) / "metadata.parquet")
    csv = "sample_id,group,kind,text\n1,5,1,a\n 2, 6,2 ,b\n3,7.5 ,3\u00a0,c\n"
    put("f/csv", {"metadata.csv": csv.encode()})
    rows = [
        {"sample_id": n, "group": g, "kind": k, "text": "x"}
        for n, g, k in [(1, 5, 1), (2, 6.0, 2.0), (3, 7.5, "3")]
    ]
    put("f/json", {}, rows)
    run("f", options=folder.Options(targets={"kind": "kind"}), kind="multiclass")
    for batch in ("csv", "json", "narrow", "parquet"):
        read = [s for s in samples() if s["batch"] == batch]
        assert [s["sample_id"].split("/")[-1] for s in read] == ["1", "2", "3"]
        assert [s["group"] for s in read] == ["5", "6", "7.5"]
        assert [s["target.kind"] for s in read] == ["1", "2", "3"]
        assert counted("f", batch)["alike"] == {}

    put(
        "f/b",
        {},
        [{"group": z, "kind": z, "text": z, "sample_id": str(i)} for i, z in enumerate(zoe)],
    )
    run("f", options=folder.Options(targets={"kind": "kind"}), kind="multiclass")
    read = [s for s in samples() if s["batch"] == "b"]
    assert {(s["group"], s["target.kind"]) for s in read} == {(zoe[0], zoe[0])}
    assert len({s["text"] for s in read}) == 2  # a text is what stands there


def test_truth_has_one_form_and_labels_have_no_blanks_at_their_ends() -> None:
    put("f/a", {"metadata.csv": b"text,kind,tags\na,True,a|b\nb,FALSE, b |a\nc,true,|\n"})
    put("f/b", {}, [{"text": "d", "kind": True, "tags": ["b ", 1.0]}, {"text": "e", "kind": " "}])
    options = folder.Options(targets={"kind": "kind", "tags": "tags"})
    run("f", options=options, kind="binary", tags="multilabel")
    assert [s["target.kind"] for s in samples()] == ["true", "false", "true", "true", None]
    tags = [s["target.tags"] for s in samples()]
    assert tags == ["a|b", "b|a", "|", '["b", "1"]', None]


def test_a_stated_value_of_a_csv_is_kept() -> None:
    values = ["007", "NA", "1e5", "5.0", "None", "1,5", "New York"]
    rows = "".join(f'{n},"{value}","{value}",x{n}\n' for n, value in enumerate(values))
    put("f/b", {"metadata.csv": f"sample_id,kind,group,text\n{rows}".encode()})
    run("f", options=folder.Options(targets={"kind": "kind"}), kind="multiclass")
    assert [s["target.kind"] for s in samples()] == values
    assert [s["group"] for s in samples()] == values


def test_names_that_differ_by_case_blanks_or_numbers_are_told_in_every_batch() -> None:
    put("f/a", {}, [{"text": "1", "kind": "Cat", "group": "07"}])
    put("f/b", {}, [{"text": "2", "kind": "cat", "group": "7"}, {"text": "3", "kind": "dog"}])
    put("f/c", {}, [{"text": "4", "kind": "dog", "group": "8"}])
    put("g/a", {}, [{"text": "5", "group": "7.0"}])
    put("g/b", {}, [{"text": "6", "kind": "c a\u200bT"}])
    put("g/c", {"metadata.csv": b"text,kind\nx,\n"})
    (ROOT / "raw/g/a/metadata.jsonl").write_text('{"text": "5", "group": "7.0", "kind": null}\n')
    (ROOT / "raw/g/b/metadata.jsonl").write_text('{"text": "6", "kind": "c a\u200bT"}\n')
    run("f", "g", options=folder.Options(targets={"kind": "kind"}), kind="multiclass")
    kinds = {"target.kind": [["Cat", "c a\u200bT", "cat"]]}
    assert counted("f", "a")["alike"] == {"group": [["07", "7"]], **kinds}
    assert counted("f", "b")["alike"] == {"group": [["07", "7"]], **kinds}
    assert counted("f", "c")["alike"] == {}
    assert counted("g", "a")["alike"] == {}
    assert counted("g", "b")["alike"] == kinds


@pytest.mark.parametrize(
    ("lies", "named", "hint"),
    [
        (
            "caf\u00e9.png",
            "cafe\u0301.png",
            "differs in the form of its letters (Unicode NFC, NFD)",
        ),
        (
            "cafe\u0301.png",
            "caf\u00e9.png",
            "differs in the form of its letters (Unicode NFC, NFD)",
        ),
        ("A.PNG", "a.png", "differs in case"),
        ("d/a.png", "d\\a.png", "differs in \\ for /"),
        ("a b.png", "a%20b.png", "differs in %-codes such as %20"),
        ("a.png", " a.png ", "differs in blanks"),
        ("d/a.png", "D\\a.PNG", "differs in \\ for / and in case"),
        ("images/a.png", "a.png", "paths begin at the batch's folder"),
        ("images/a.png", "/kaggle/input/images/a.png", "paths begin at the batch's folder"),
        ("a.png", "a", "a path has its ending"),
        ("a.png", "a.jpg", "which has another ending"),
        ("other.png", "a.jpg", ""),
    ],
)
def test_of_a_file_that_is_not_there_the_near_name_is_told(
    lies: str, named: str, hint: str
) -> None:
    row = {"image_file_name": named, "text": "x", "sample_id": "1"}
    put("f/b", {lies: PNG}, [{"text": "y", "sample_id": "2"}, row])
    run("f")
    (refused,) = rejects()
    assert refused.message.startswith("metadata.jsonl, line 2: column image_file_name: ")
    assert hint in refused.message
    assert (f"there is '{lies}'" in refused.message) == bool(hint)


def test_the_refused_say_file_line_column_what_there_is_and_what_to_do() -> None:
    table = (
        "sample_id,file_name,split,age,text\n"
        '1,a.png,,3,"two\nlines"\n'
        "2,a.png,holdout,3,x\n"
        "3,a.png,,old,x\n"
        "4,a.png,,3\n"
        "5,b.bin,,3,x\n"
        "1,a.png,,3,x\n"
    )
    put("f/b", {"metadata.csv": table.encode(), "a.png": PNG})
    run("f", options=folder.Options(targets={"age": "age"}), age="regression")
    told = {reject.reason: (reject.subject, reject.message) for reject in rejects()}
    assert told == {
        "unknown_split": (
            "metadata.csv:4",
            "metadata.csv, line 4: column split: 'holdout' is not a split; give one of train, "
            "validation, test, or none",
        ),
        "bad_target": (
            "f/b/3",
            "metadata.csv, line 5: column age: 'old' is no finite number, which the target age is; "
            "write digits with a decimal point, or leave the cell empty",
        ),
        "bad_row": (
            "metadata.csv:6",
            "metadata.csv, line 6: it has 4 cells, and the table 5 columns",
        ),
        "unknown_media_type": (
            "metadata.csv:7",
            "metadata.csv, line 7: column file_name: the ending of 'b.bin' says no modality; "
            "rename the file, or call the column image_file_name or the like",
        ),
        "duplicate_sample_id": (
            "f/b/1",
            "metadata.csv, line 8: 2 samples of the batch have the id '1' (metadata.csv, line 2; "
            "metadata.csv, line 8): give each its own, such as by a column sample_id",
        ),
    }
