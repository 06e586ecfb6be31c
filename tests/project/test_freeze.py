"""From a model that aligns modalities to feature sets in its space, and what is built on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from pipeline.core.errors import PipelineError
from pipeline.inference import Predictor
from pipeline.models.evaluation.figure_files import read_figures
from pipeline.models.examples import build_examples
from pipeline.models.saving import load_model
from pipeline.models.training.batches import Tensors
from pipeline.params import load
from pipeline.parts.artifact import read_manifest
from pipeline.search.contents import read_contents
from pipeline.search.hits import search_samples
from pipeline.search.question import question
from pipeline.stages.plans import evaluate, extract, train
from pipeline.store import open_store
from pipeline.store.join import join_work_tree
from tests.command import call
from tests.dataset import picture

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
FROZEN = "encoders/shared"
SPACE = {f"shared_{m}": m for m in ("audio", "image", "text")}


@pytest.fixture(scope="module")
def aligned(project: Path) -> Path:
    """The project with a model that aligns, evaluated and frozen, and feature sets of its space."""
    model = {
        "features": ["colour_hog", "mfcc", "hashing"],
        "tower": {"hidden": 16, "width": 16},
        "fusion": "late",
        "epochs": 4,
    }
    path = project / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["models"] |= {
        "shared": {**model, "alignment": {"dimension": 8}},
        "warm": {**model, "tasks": {"shape": {}}, "primary": "shape", "towers_from": FROZEN},
    }
    params["evaluate"] |= {"zero_shot": ["shape"], "label_shares": [0.5], "draws": 1}
    params["features"] |= {
        name: {"modality": m, "encoder": f"aligned_{m}", "model": FROZEN}
        for name, m in SPACE.items()
    }
    path.write_text(yaml.safe_dump(params))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        train.plan(load(), "shared").run()
        evaluate.plan(load(), "shared").run()
        code, output = call("freeze", "shared")
        assert (code, f"towers_from: {FROZEN}" in output) == (0, True), output
        for name in SPACE:
            extract.plan(load(), name).run()
    return project


@pytest.fixture(autouse=True)
def _there(aligned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(aligned)


def test_what_it_finds_names_and_saves_is_measured(aligned: Path) -> None:
    figures = read_figures(aligned / "data" / "evaluation" / "shared")
    assert {"alignment", "text → image", "image → shape", "shape @ 50 %"} <= figures.keys()
    assert "text → shape" not in figures


def test_rows_are_where_the_model_itself_puts_them(aligned: Path) -> None:
    model = load_model(aligned / "data" / "models" / "shared")
    joined = join_work_tree(Path("data"), SPACE)
    read = join_work_tree(Path("data"), {spec.name: spec.modality for spec in model.sets})
    examples = build_examples([read], {s.name: s.modality for s in model.sets}, {}, {})
    network = model.torch_network
    tensors = Tensors(examples, torch.device("cpu"))
    vectors, has = network.vectors(tensors, examples.present)
    for place, modality in enumerate(examples.modalities):
        stored = joined.values[f"shared_{modality}"]
        rows = has[:, place]
        assert np.array_equal(joined.present[f"shared_{modality}"], rows)
        assert np.allclose(stored[rows], vectors[rows, place], atol=1e-5)


def test_words_and_pictures_are_asked_of_any_set_of_the_space(
    aligned: Path, tmp_path: Path
) -> None:
    store = open_store(aligned)
    asked = question(store, "shared_image", "a bright cross cross-3")
    assert asked.modality == "text"
    hits = search_samples(store, "shared_image", asked.query, 3)
    assert len(hits) == 3
    assert all("image" in hit.digests for hit in hits)
    path = tmp_path / "mine.png"
    path.write_bytes(picture("circle", 3))
    assert question(store, "shared_audio", str(path)).modality == "image"
    assert question(store, "shared_text", str(path)).modality == "image"
    assert question(store, "hashing", str(path)).modality == "text"  # which has no other way
    code, output = call("store", "search", "shared_text", str(path), "-k", "3", "--each", "text")
    assert code == 0, output
    heads, *rows = (line.split("\t") for line in output.splitlines())
    assert heads == ["score", "sample", "text", "targets"]
    texts = {row["text"] for row in store.samples().to_pylist()}
    known = read_contents(store.tree, "text", texts).values()
    assert len({words for _, _, words, _ in rows}) == 3
    assert {words for _, _, words, _ in rows} <= {*known}
    with pytest.raises(PipelineError, match="words are asked of sets of texts"):
        question(store, "colour_hog", "a bright cross")


def test_a_classifier_begins_with_its_towers_and_is_keyed_by_them(aligned: Path) -> None:
    train.plan(load(), "warm").run()
    made = read_manifest(aligned / "data" / "models" / "warm")
    assert {"towers_from/model.json", "towers_from/model.safetensors"} <= made["inputs"].keys()
    assert list(load_model(aligned / "data" / "models" / "warm").classes) == ["shape"]


def test_what_was_frozen_stays(aligned: Path) -> None:
    before = {path.name: path.read_bytes() for path in Path(FROZEN).iterdir()}
    code, output = call("freeze", "shared")
    assert (code, "is there already" in output) == (1, True), output
    code, output = call("freeze", "shared", "--out", "data/shared")
    assert (code, "where stages alone write" in output) == (1, True), output
    assert {path.name: path.read_bytes() for path in Path(FROZEN).iterdir()} == before


def test_a_model_without_tasks_answers_nothing(aligned: Path) -> None:
    with pytest.raises(PipelineError, match="no tasks to answer: it aligns modalities"):
        Predictor.load(aligned, "shared")


def test_towers_of_a_folder_that_holds_none_are_said_to_be_missing(aligned: Path) -> None:
    params = load()
    lost = params.models["warm"].model_copy(update={"towers_from": "elsewhere"})
    params.models["warm"] = lost
    with pytest.raises(
        PipelineError, match=r"elsewhere holds no model.json and no model.safetensors"
    ):
        train.plan(params, "warm")
