"""A package of a small project's model: it answers alone, as its evaluation did, and shows harm."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_file
from pipeline.inference import Predictor, Sample
from pipeline.models.compression.options import CompressionOptions
from pipeline.packaging.package import write_package
from pipeline.params import Params, load
from pipeline.params.aliases import Alias, write_aliases
from pipeline.parts import manifest
from pipeline.project.contents import CONTENTS
from pipeline.project.model_files import open_model
from tests.dataset import AUTHOR, picture, run, sound

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
HERE = Path(__file__).parents[2]
MODALITIES = ("image", "audio", "text")


@pytest.fixture(scope="module")
def params(project: Path) -> Params:
    return load(project / "params.yaml")


@pytest.fixture
def at_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    return project


@pytest.fixture(scope="module")
def package(project: Path, params: Params, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("handed") / "gated"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        digest = write_package(params, "gated", out)
    assert digest == digest_file(out / CONTENTS)
    return out


@pytest.fixture
def copy(package: Path, tmp_path: Path) -> Path:
    shutil.copytree(package, tmp_path / "copy")
    return tmp_path / "copy"


def sample_of_test_split(project: Path, words_file: Path) -> tuple[list[Path], dict[str, Any]]:
    """(its files, its row of predictions) of one that has all modalities; its words are written."""
    data = project / "data"
    rows = pq.read_table(data / "evaluation/gated/predictions.parquet").to_pylist()
    row = next(row for row in rows if row["split"] == "test" and len(row["present"]) == 3)
    label = row["sample_id"].rpartition("/")[2]
    curated = manifest.read(data / "curated").to_pylist()
    digest = next(one["text"] for one in curated if one["sample_id"] == row["sample_id"])
    assets = manifest.read(data / "assets" / "text").to_pylist()
    words = next(one["data"] for one in assets if one["digest"] == digest)
    folder = data / "raw/shapes/first"
    words_file.write_bytes(words)
    return [folder / f"{label}.png", folder / f"{label}.wav", words_file], row


def test_it_answers_alone_as_the_evaluation_did(
    project: Path, package: Path, tmp_path: Path
) -> None:
    """No project, no git, no library that it does not ask for, called from another folder."""
    files, row = sample_of_test_split(project, package.parent / "words.txt")
    environment = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG")}
    done = subprocess.run(
        [sys.executable, HERE / "tests/packaging/bare.py", package, HERE / "pipeline", *files],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    printed, _, last = done.stdout.rstrip().rpartition("\n")
    seen = json.loads(last)
    assert seen == {"loaded": [], "pipeline": str(package / "pipeline/__init__.py")}
    (answer,) = json.loads(printed)["answers"]
    assert [*answer["probabilities.shape"].values()] == row["probabilities"]
    assert answer["answer.shape"] == row["prediction"]
    assert sorted(answer["present"]) == sorted(row["present"])
    assert [*tmp_path.iterdir()] == []


def test_it_answers_as_the_project_does(at_project: Path, package: Path) -> None:
    samples = [
        Sample("whole", {"image": picture("cross", 1), "audio": sound("cross", 1), "text": "a"}),
        Sample("half", {"text": "a deep circle"}),
        Sample("none", {"image": b"no picture"}),
    ]
    one, other = Predictor.load(Path(), "gated"), Predictor.open(package)
    for ours, theirs in zip(one.predict(samples), other.predict(samples), strict=True):
        assert ours.equals(theirs)


def test_the_graph_answers_as_the_network_does(package: Path) -> None:
    predictor = Predictor.open(package)
    session = onnxruntime.InferenceSession(package / "model.onnx")
    model, rng = predictor.model, np.random.default_rng(0)
    values = {
        spec.name: rng.normal(size=(5, *spec.shape)).astype(np.float32) for spec in model.sets
    }
    present = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1]], bool)
    inputs = {f"values.{name}": array for name, array in values.items()} | {"present": present}
    inputs |= {f"lengths.{name}": np.ones(5, np.int32) for name in values}
    wanted = {each.name for each in session.get_inputs()}
    (answers,) = session.run(["shape"], {name: inputs[name] for name in wanted})
    import torch

    with torch.inference_mode():
        logits = model.torch_network(
            {name: torch.from_numpy(array) for name, array in values.items()},
            {name: torch.ones(5, dtype=torch.int64) for name in values},
            torch.from_numpy(present),
        )["shape"]
    expected = model.network.decodings["shape"].probabilities(logits)
    assert abs(answers - expected).max() < 1e-5


def test_the_cards_and_what_it_holds(package: Path, params: Params) -> None:
    names = {path.name for path in package.iterdir()}
    assert names == {
        "LICENSE", "contents.json", "data_card.md", "model.json", "model.onnx",
        "model.safetensors", "model_card.md", "pipeline", "predict.py", "predictor.json",
        "requirements.txt",
    }  # fmt: skip
    about = json.loads((package / "predictor.json").read_text())
    assert set(about["params"]["clean"]) == set(MODALITIES)
    # No root, no path and no name of the project's own sources goes along.
    assert about["params"]["sources"] == {"files": {"kind": "folder"}}
    assert "shapes" not in json.dumps(about)
    assert "Apache License" in (package / "LICENSE").read_text()
    card = (package / "model_card.md").read_text(encoding="utf-8")
    assert f"`{digest_file(package / 'model.safetensors')}`" in card


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda p: (p / "model.safetensors").write_bytes(b"x"), "model.safetensors has another"),
        (lambda p: (p / "pipeline/core/errors.py").write_text("#"), "errors.py has another"),
        (lambda p: (p / "requirements.txt").unlink(), "requirements.txt is missing"),
        (lambda p: (p / "pipeline/encoders/x.py").write_text(""), "encoders/x.py is not listed"),
        (lambda p: (p / CONTENTS).write_text("{}"), "contents.json is damaged"),
        (lambda p: (p / "predictor.json").unlink(), "holds no model that was handed over"),
    ],
)
def test_a_package_that_was_changed_is_refused(copy: Path, harm: Any, told: str) -> None:
    harm(copy)
    with pytest.raises(PipelineError, match=told):
        Predictor.open(copy)


def test_another_environment_is_told_what_differs(copy: Path) -> None:
    path = copy / "predictor.json"
    text = path.read_text()
    about = json.loads(text)
    library, version = next(iter(about["trained_on"]["mfcc"]["libraries"].items()))
    about["trained_on"]["mfcc"]["libraries"][library] = "0.1"
    path.write_text(json.dumps(about))
    (copy / CONTENTS).unlink()
    with pytest.raises(PipelineError, match=f"mfcc: library {library}: 0.1 → {version}") as error:
        Predictor.open(copy)
    assert "requirements.txt" in str(error.value)
    assert "dvc repro" not in str(error.value)


def test_weights_in_a_package_are_looked_for_there(copy: Path) -> None:
    path = copy / "predictor.json"
    about = json.loads(path.read_text())
    about["params"]["features"]["hashing"]["model"] = "weights/hashing"
    path.write_text(json.dumps(about))
    (copy / CONTENTS).unlink()
    features = open_model(copy).about.params["features"]
    assert features["hashing"]["model"] == str(copy / "weights/hashing")
    assert "model" not in features["mfcc"]


def test_a_zip_has_the_same_bytes_each_time_and_opens_where_it_is_unpacked(
    at_project: Path, params: Params, package: Path, tmp_path: Path
) -> None:
    outs = [tmp_path / "gated.zip", tmp_path / "again" / "gated.zip"]
    outs[1].parent.mkdir()
    digests = {write_package(params, "gated", out) for out in outs}
    assert digests == {digest_file(package / CONTENTS)}
    assert outs[0].read_bytes() == outs[1].read_bytes()
    with zipfile.ZipFile(outs[0]) as archive:
        archive.extractall(tmp_path)
    assert Predictor.open(tmp_path / "gated").modalities == sorted(MODALITIES)
    with pytest.raises(PipelineError, match="unpack it"):
        Predictor.open(outs[0])


def test_a_model_of_a_revision_is_packaged_from_the_cache_without_touching_the_work_tree(
    at_project: Path, params: Params, package: Path, tmp_path: Path
) -> None:
    run(at_project, "git", "add", "--all")
    run(at_project, "git", *AUTHOR, "commit", "--quiet", "--message", "ran")
    revision = run(at_project, "git", "rev-parse", "HEAD").stdout.strip()
    write_aliases(at_project, {"champion": Alias(model="gated", revision=revision)})
    weights = at_project / "data/models/gated/model.safetensors"
    kept = weights.read_bytes()
    weights.unlink()
    try:
        write_package(replace(params, models={}), "champion", tmp_path / "out")
    finally:
        (at_project / "aliases.yaml").unlink()
        weights.write_bytes(kept)
    before, after = (
        {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and path.parent.name != "__pycache__"
        }
        for folder in (package, tmp_path / "out")
    )
    # It says of which commit it is.
    told = {"predictor.json", CONTENTS}
    assert {name for name in before if before[name] != after.pop(name)} == told
    assert not after
    assert open_model(tmp_path / "out").about.revision == revision


def test_what_may_not_be_packaged_is_refused_and_nothing_is_written(
    at_project: Path, params: Params, tmp_path: Path
) -> None:
    with pytest.raises(PipelineError, match=r"unknown model .* 'gatde'; there are: gated, image"):
        write_package(params, "gatde", tmp_path / "out")
    with pytest.raises(PipelineError, match="unknown revision '0000'"):
        write_package(params, "gated", tmp_path / "out", rev="0000")
    compressed = replace(params, compress={"small": CompressionOptions(model="gated")})
    with pytest.raises(PipelineError, match=r"unknown model in the work tree 'small'"):
        write_package(compressed, "small", tmp_path / "out")
    with pytest.raises(PipelineError, match="where stages alone write"):
        write_package(params, "gated", at_project / "data" / "out")
    with pytest.raises(PipelineError, match="--force replaces it"):
        write_package(params, "gated", tmp_path)
    with pytest.raises(PipelineError, match="so it is not replaced"):
        write_package(params, "gated", tmp_path, force=True)
    path = at_project / "data/evaluation/gated/manifest.json"
    text = path.read_text()
    path.unlink()  # it may be a link
    try:
        measured = json.loads(text)
        measured["inputs"]["model/model.safetensors"] = "0" * 32
        path.write_text(json.dumps(measured))
        with pytest.raises(PipelineError, match="of another training"):
            write_package(params, "gated", tmp_path / "out")
    finally:
        path.write_text(text)
    assert [*tmp_path.iterdir()] == []
