from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest
import yaml

from pipeline.core.complaint import complaint
from pipeline.core.files.digest import digest_bytes
from pipeline.core.schemas import curated_schema
from pipeline.parts import tables
from tests.command import call
from tests.core.test_failure_log import Faulty
from tests.dataset import HERE, params, put_batch
from tests.toy import Square, function, put, rows


@pytest.fixture
def configured(inside: Path) -> Path:
    Path("params.yaml").write_text(yaml.safe_dump(params()))
    return inside


def square(out: str, *numbers: int) -> None:
    """A stage's output below data/, of numbers among which the negative are refused."""
    work = Square(function())
    put(Path("data", out), work, rows(list(numbers)), limit=1.0)


@pytest.fixture
def refused(configured: Path) -> None:
    square("clean/image", 1, -2)
    square("clean/audio", 3)


def test_version() -> None:
    assert call("--version") == (0, "0.1.0\n")


def test_a_mistake_ends_in_its_message(inside: Path) -> None:
    code, output = call("check")
    assert code == 1
    assert "there is no params.yaml here" in output
    Path("params.yaml").write_text(yaml.safe_dump({**params(), "seed": "x"}))
    code, output = call("check")
    assert code == 1
    assert "seed: give a whole number" in output


def test_check_says_what_the_machine_lacks(inside: Path) -> None:
    asked = params()
    asked["features"]["colour_hog"] = {"modality": "image", "encoder": "efficientnet_lite0"}  # type: ignore[index]
    asked["features"]["colour_hog"] |= {"backend": "torch", "device": "cuda"}  # type: ignore[index]
    model = next(iter(asked["models"]))
    asked["models"][model]["workers"] = 200
    Path("params.yaml").write_text(yaml.safe_dump(asked))
    code, output = call("check")
    assert code == 1
    assert f"models.{model}: 200 workers need as many CPUs" in output
    assert "this folder is no DVC project" in output
    assert "this folder is in no git repository" in output
    assert "features.colour_hog: params.yaml asks for `device: cuda`" in output


def test_a_repository_needs_no_commit(inside: Path) -> None:
    Path("params.yaml").write_text(yaml.safe_dump(params()))
    subprocess.run(["git", "init", "--quiet"], check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], check=True)
    shutil.copy(HERE / "dvc.yaml", ".")
    put_batch(Path("data", "raw", "shapes", "first"), 0, 12)
    code, output = call("check")
    assert code == 0, output
    assert "data/raw/shapes/first: DVC keeps no copy of this batch" in output


def test_check_finds_what_dvc_cannot_read_or_lacks(inside: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], check=True)
    Path("params.yaml").write_text(yaml.safe_dump(params()))
    assert "there is no dvc.yaml: `pipeline init` makes a project" in call("check")[1]
    shutil.copy(HERE / "dvc.yaml", ".")
    Path("params.yaml").write_text(yaml.safe_dump({**params(), "fetch": None}))
    assert "DVC cannot read the graph: " in call("check")[1]
    graph = yaml.safe_load(Path("dvc.yaml").read_text())
    del graph["stages"]["evaluate"]
    Path("dvc.yaml").write_text(yaml.safe_dump(graph))
    Path("params.yaml").write_text(yaml.safe_dump(params()))
    assert "dvc.yaml has no stage evaluate@image" in call("check")[1]
    Path("params.yaml").write_text(yaml.safe_dump({**params(), "models": {}}))
    assert "names no feature set or no model" in call("check")[1]


def test_a_repository_that_is_damaged_is_told_without_a_stack(inside: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], check=True)
    Path("params.yaml").write_text(yaml.safe_dump(params()))
    Path(".dvc").mkdir()
    Path(".dvc", "config").write_text("[core")
    shutil.copy(HERE / "dvc.yaml", ".")
    code, output = call("check")
    assert code == 1
    assert f"{inside / '.dvc/config'} cannot be read: mend it" in output
    Path(".git", "index").write_text("no index")
    for command in (("check",), ("promote", next(iter(params()["models"])))):  # type: ignore[call-overload]
        code, told = call(*command)
        assert code == 1
        assert "git ls-files says: fatal: .git/index: index file smaller than expected" in told
    stack = "Traceback (most recent call last):\n  File x.py\ndvc.config.ConfigError: Invalid\n"
    assert complaint("ERROR: no such file\n\nHaving any troubles? Ask us\n") == "no such file"
    assert complaint(f"ERROR: unexpected error\n{stack}") == "dvc.config.ConfigError: Invalid"


def test_a_machine_without_git_is_told(configured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    code, output = call("check")
    assert code == 1
    assert "git is not installed" in output


def test_check_finds_what_dvc_would_wait_for(inside: Path) -> None:
    Path("params.yaml").write_text(yaml.safe_dump(params()))
    Path("data/raw/shapes/b").mkdir(parents=True)
    os.mkfifo("data/raw/shapes/b/pipe.png")
    code, output = call("check")
    assert code == 1
    assert "add /data/raw/shapes/b/pipe.png to .dvcignore" in output


@pytest.mark.parametrize(("written", "damaged"), [("", True), ('{"a', True), ("{}", False)])
def test_check_finds_the_lock_that_a_killed_dvc_left(
    inside: Path, written: str, damaged: bool
) -> None:
    Path("params.yaml").write_text(yaml.safe_dump(params()))
    Path(".dvc/tmp").mkdir(parents=True)
    Path(".dvc/tmp/rwlock").write_text(written)
    assert (".dvc/tmp/rwlock is damaged" in call("check")[1]) == damaged


@pytest.mark.parametrize(
    ("written", "damaged"),
    [("", True), ("schema: '2.0'\nstages:\n  clean@im", True), ("schema: '2.0'\n", False)],
)
def test_check_finds_the_lockfile_that_a_killed_dvc_left(
    inside: Path, written: str, damaged: bool
) -> None:
    Path("params.yaml").write_text(yaml.safe_dump(params()))
    Path("dvc.lock").write_text(written)
    assert ("dvc.lock is damaged" in call("check")[1]) == damaged


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("stage", "cleam"), "unknown stage 'cleam'; there are: augment, clean"),
        (("stage", "clean", "smell"), "unknown item 'smell'; there are: audio, image, text"),
        (("stage", "clean@; touch made"), "unknown item '; touch made'; there are: audio"),
        (("stage", "comparison/dvc.yaml:crossvalidate@x"), "crossvalidate: params.yaml names noth"),
        (("stage", "clean", "image"), "has no _manifest.json: run `dvc repro`"),
        (("stage", "clean@image"), "has no _manifest.json: run `dvc repro`"),
    ],
)
def test_a_stage_that_cannot_run_says_why(
    inside: Path, arguments: tuple[str, ...], message: str
) -> None:
    Path("params.yaml").write_text(yaml.safe_dump(params()))
    code, output = call(*arguments)
    assert code == 1
    assert message in output


def test_rejects_are_shown_and_given_as_json(refused: None) -> None:
    code, output = call("rejects")
    assert code == 0
    assert "toy: 1 negative" in output
    code, output = call("rejects", "--json")
    (reject,) = [json.loads(line) for line in output.splitlines()]
    assert reject["reason"] == "negative"
    assert reject["message"] == "the number is below zero"


def test_rejects_of_a_reason_and_where_the_tracebacks_are(refused: None) -> None:
    work = Faulty(function(), stage="clean/text")
    put(Path("data/clean/text"), work, rows([1, 3]), limit=1.0)
    _, output = call("rejects", "--reason", "failed")
    (path,) = Path(".pipeline/logs/clean@text").iterdir()
    assert "clean/text: 1 failed" in output
    assert f"tracebacks: {path}" in output
    assert "negative" not in output
    path.unlink()
    assert "tracebacks: none here" in call("rejects", "--reason", "failed")[1]
    assert call("rejects", "--reason", "negative")[1].count("tracebacks") == 0


def test_the_rejects_of_one_stage(refused: None) -> None:
    assert "toy: 1 negative" in call("rejects", "--stage", "clean/image")[1]
    for without in ("clean/audio", "evaluate/gated", "report"):
        assert call("rejects", "--stage", without) == (0, "nothing was refused\n")
    assert call("rejects", "--stage", "clean/audio", "--json") == (0, "")


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("clean/smell", "unknown stage 'clean/smell'; there are: augment/audio, "),
        ("clean/text", "there is no data/clean/text/_manifest.json: `dvc repro` makes it"),
    ],
)
def test_rejects_of_a_stage_that_is_not_there(refused: None, stage: str, message: str) -> None:
    code, output = call("rejects", "--stage", stage)
    assert code == 1
    assert message in output


def test_rejects_of_what_params_no_longer_name_are_not_shown(refused: None) -> None:
    square("features/gone", -3, -4)
    _, output = call("rejects", "--json")
    assert len(output.splitlines()) == 1


def test_rejects_before_any_stage(configured: Path) -> None:
    code, output = call("rejects")
    assert code == 1
    assert "run `dvc repro`" in output


def test_samples_that_a_model_saw_nothing_of_are_counted_and_no_rejects(configured: Path) -> None:
    put_unseen(Path("data"), "image", {"train": 1, "validation": 1})
    code, output = call("rejects", "--stage", "train/image")
    assert code == 0
    assert output.startswith("nothing was refused\n")
    assert "absent: samples that have none of a model's modalities" in output
    rows = [line.split("│")[1:-1] for line in output.splitlines() if line.startswith("│")]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["image", "train", "2", "1"],
        ["image", "validation", "2", "1"],
    ]
    assert call("rejects", "--json") == (0, "")
    query = "SELECT count(*) AS n FROM rejects"
    assert call("store", "sql", query, "--json") == (0, '{"n": 0}\n')
    put_unseen(Path("data"), "image", {"train": 0, "validation": 0})
    assert call("rejects", "--stage", "train/image") == (0, "nothing was refused\n")


def test_rejects_are_counted_with_a_few_examples(configured: Path) -> None:
    square("clean/image", *range(-12, 0))
    _, output = call("rejects")
    assert "toy: 12 negative" in output
    assert output.count("the number is below zero") == 5
    assert "and 7 more: --all shows them" in output
    assert call("rejects", "--limit", "2")[1].count("the number is below zero") == 2
    assert call("rejects", "--all")[1].count("the number is below zero") == 12
    assert len(call("rejects", "--json")[1].splitlines()) == 12
    assert len(call("rejects", "--json", "--limit", "3")[1].splitlines()) == 3


def test_what_a_stage_refused_that_failed_can_be_read(configured: Path) -> None:
    batch = Path("data", "raw", "shapes", "first")
    batch.mkdir(parents=True)
    (batch / "metadata.csv").write_text("text,shap\na text,circle\n")
    code, output = call("stage", "ingest")
    assert code == 1
    assert "there is no column shape; there are: text, shap" in output
    code, output = call("rejects", "--json")
    (reject,) = map(json.loads, output.splitlines())
    assert (code, reject["reason"]) == (0, "missing_column")
    assert reject["file"] == "shapes/first/metadata.csv"
    assert "there is no column shape; there are: text, shap" in reject["message"]
    assert "under `sources` in params.yaml" in reject["fix"]
    assert "fix: write the column's name" in call("rejects", "--stage", "ingest")[1]


def test_an_asset_is_named_by_its_file_and_what_helps_stands_beside(configured: Path) -> None:
    document = params()
    document["modalities"] = ["image", "text"]
    del document["features"]["mfcc"]  # type: ignore[attr-defined]
    document["augment"] = document["curate"] = {}
    document["clean"] = {name: {"reject_limit": 1.0} for name in ("image", "text")}
    document["models"] = {"image": document["models"]["image"]}  # type: ignore[index]
    Path("params.yaml").write_text(yaml.safe_dump(document))
    batch = Path("data", "raw", "shapes", "first")
    batch.mkdir(parents=True)
    blank = np.full((40, 40, 3), 255, np.uint8)
    (batch / "blank.png").write_bytes(cv2.imencode(".png", blank)[1].tobytes())
    rows = ["sample_id,image_file_name,text,shape", "a,blank.png,words,circle", "b,, ,circle"]
    (batch / "metadata.csv").write_text("\n".join(rows) + "\n")
    for stage in ("ingest", "clean@image", "clean@text"):
        code, output = call("stage", stage)
        assert code == 0, output
    document["clean"]["image"]["reject_limit"] = 0.1
    Path("params.yaml").write_text(yaml.safe_dump(document))
    code, output = call("stage", "clean@image")
    assert code == 1
    assert "1 blank, such as shapes/first/blank.png: the picture shows one plain colour" in output
    found = [json.loads(line) for line in call("rejects", "--json")[1].splitlines()]
    by_reason = {reject["reason"]: reject for reject in found}
    assert by_reason["blank"]["file"] == "shapes/first/blank.png"
    assert by_reason["blank"]["digest"] == digest_bytes((batch / "blank.png").read_bytes())
    assert "clean.image.min_contrast" in by_reason["blank"]["fix"]
    assert by_reason["empty"]["file"] == "shapes/first/metadata.csv (sample shapes/first/b)"
    output = call("rejects", "--reason", "blank")[1].replace("\n", "")
    assert "fix: the option clean.image.min_contrast" in output
    query = "SELECT file FROM rejects ORDER BY file"
    files = [
        json.loads(line)["file"] for line in call("store", "sql", query, "--json")[1].splitlines()
    ]
    assert files == sorted(reject["file"] for reject in found)


def put_unseen(root: Path, model: str, unseen: dict[str, int]) -> None:
    """A model of one feature set, whose modality is absent in one sample and lost in another."""
    schema = curated_schema(["image"], {})
    written = [
        {
            "sample_id": name, "source": "s", "batch": "b", "group": name, "attributes": {},
            "component": name, "split": split, "joined_by": [], "image": image,
        }
        for name, split, image in (
            ("seen", "train", digest_bytes(b"seen")),
            ("lost", "train", digest_bytes(b"lost")),
            ("absent", "validation", None),
            ("other", "test", None),
        )
    ]  # fmt: skip
    cut = (8, 10**6, 1.0)
    own = [tables.record_row(row, row["sample_id"]) for row in written]
    tables.table(root / "curated", "curate", function(), schema, own, *cut).run()
    digests = [{"source": "s", "batch": "b", "digest": digest_bytes(b"seen")}]
    tables.table(
        root / "features" / "colour_hog",
        "extract/colour_hog",
        function(),
        pa.schema([("digest", pa.string())]),
        map(tables.record_row, digests),
        *cut,
    ).run()
    card = {
        "features": {"colour_hog": {"modality": "image", "shape": [3]}},
        "samples": {split: {"seen": 1, "unseen": n} for split, n in unseen.items()},
    }
    folder = root / "models" / model
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_text(json.dumps(card))


def test_a_missing_report_says_what_to_run(inside: Path) -> None:
    code, output = call("report")
    assert code == 1
    assert "run `dvc repro` to make it" in output
