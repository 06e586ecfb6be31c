"""A source that is answered for: its samples cost themselves alone, and no training sees them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_file
from pipeline.inference.predictor import Predictor
from pipeline.inference.samples import Sample
from pipeline.params import Params, parse
from pipeline.parts import manifest
from pipeline.parts.summary import Summary
from pipeline.stages.run import find
from tests.dataset import params as params_of
from tests.dataset import picture, put_batch, sound, write_metadata

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
BEFORE = ("clean/image", "clean/audio", "clean/text", "augment/image", "augment/audio")
EXTRACT = ("extract/colour_hog", "extract/mfcc", "extract/hashing")
STAGES = ("ingest", *BEFORE, "augment/text", *EXTRACT, "curate", "train/gated", "evaluate/gated")


def put_inbox(folder: Path, count: int) -> None:
    """`count` samples without labels; of the second the picture is broken, the third is empty."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(100, 100 + count):
        (folder / f"{i}.png").write_bytes(b"no picture" if i == 101 else picture("square", i))
        (folder / f"{i}.wav").write_bytes(sound("square", i))
        row = {"image_file_name": f"{i}.png", "audio_file_name": f"{i}.wav"}
        if i == 102:
            (folder / "102.png").write_bytes(b"broken")
            row["audio_file_name"] = ""
        rows.append({"sample_id": str(i), **row})
    write_metadata(folder, rows)


def read_params(model: str = "gated") -> Params:
    document = params_of(executor="serial")
    document["sources"] |= {"inbox": {"kind": "folder"}}  # type: ignore[operator]
    document["predict"] = {"tonight": {"source": "inbox", "model": model}}
    return parse(document)


def run_stage(params: Params, stage: str) -> Summary:
    name, _, item = stage.partition("/")
    summary = find(params, name, item)(params, item).run()
    assert isinstance(summary, Summary)
    return summary


@pytest.fixture
def inbox(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    return project / "data" / "raw" / "inbox" / "night"


def test_a_source_is_answered_for_part_by_part(inbox: Path, project: Path) -> None:
    models = [project / "data" / "models" / name for name in ("gated", "image")]
    before = [digest_file(model / "manifest.json") for model in models]
    curated = manifest.manifest_digest(project / "data" / "curated")
    put_inbox(inbox, 8)
    params = read_params()
    done = {stage: run_stage(params, stage) for stage in STAGES}
    assert done["extract/colour_hog"].computed_rows == 6
    assert done["extract/mfcc"].computed_rows == 7
    assert done["augment/image"].computed_rows == 0
    assert [done[stage].computed for stage in ("train/gated", "evaluate/gated")] == [0, 0]
    assert manifest.manifest_digest(project / "data" / "curated") == curated
    assert [digest_file(model / "manifest.json") for model in models] == before

    answered = run_stage(params, "predict/tonight")
    assert (answered.rows, answered.rejected, answered.reasons) == (7, 1, {"no_modality": 1})
    out = project / "data" / "predictions" / "tonight"
    rows = {row["sample_id"].split("/")[-1]: row for row in manifest.read(out).to_pylist()}
    assert rows["101"]["present"] == ["audio"]
    assert [refusal["stage"] for refusal in rows["101"]["refused"]] == ["clean/image"]
    given = [
        Sample(name, {"image": inbox / f"{name}.png", "audio": inbox / f"{name}.wav"})
        for name in rows
    ]
    for row in Predictor.load(project, "gated").predict(given).answers.to_pylist():
        stored = rows[row["sample_id"]]
        for column in row.keys() & stored.keys() - {"sample_id"}:
            assert row[column] == stored[column], column

    put_inbox(inbox, 10)
    for stage in ("ingest", *BEFORE, *EXTRACT):
        run_stage(params, stage)
    assert run_stage(params, "predict/tonight").computed_rows == 2
    other = read_params("image")
    assert run_stage(other, "extract/colour_hog").computed_rows == 0
    assert run_stage(other, "predict/tonight").computed_rows == 10


def test_an_inbox_may_be_empty_and_owns_nothing_that_is_learnt_from(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    params = read_params()
    before = manifest.read(project / "data" / "assets" / "image", ["digest", "source"]).to_pylist()
    inbox = project / "data" / "raw" / "inbox"
    for path in sorted(inbox.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    run_stage(params, "ingest")
    put_batch(inbox / "again", 0, 2)
    run_stage(params, "ingest")
    after = manifest.read(project / "data" / "assets" / "image", ["digest", "source"]).to_pylist()
    shapes = [row for row in before if row["source"] == "shapes"]
    assert [row for row in after if row["source"] == "shapes"] == shapes
    assert [row["source"] for row in after] == ["shapes"] * len(shapes)


def test_what_cannot_be_answered_for_is_told_before(project: Path) -> None:
    document = params_of()
    document["predict"] = {
        "a": {"source": "nowhere"},
        "b c": {"source": "shapes"},
    }
    with pytest.raises(PipelineError) as told:
        parse(yaml.safe_load(yaml.safe_dump(document)))
    for message in (
        "predict.a.source: unknown source 'nowhere'; there are: shapes",
        "predict.b c.source: nothing is learnt from a source that is answered for",
        "predict.b c: 'b c' cannot name a folder",
    ):
        assert message in str(told.value)
