"""Raw inputs through a predictor: features and probabilities of the stages, bit by bit."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.files.digest import digest_file
from pipeline.core.registry import names
from pipeline.encoders import encoder_of
from pipeline.inference.encoding import Encoding
from pipeline.inference.predictor import Predictor
from pipeline.inference.samples import Sample, read_asset
from pipeline.models.compression.export import onnx_graph
from pipeline.models.saving import save_graph
from pipeline.params import parse
from pipeline.params.aliases import Alias, write_aliases
from pipeline.parts import manifest
from pipeline.parts.job import outcomes
from pipeline.project.model_files import find_model, sections_of_features
from pipeline.stages.plans import extract
from pipeline.store import open_store
from pipeline.store.trees.tree import WorkTree
from tests.dataset import environment, picture, sound
from tests.encoders import examples

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
# They take the same path; opening them takes most of a minute.
SLOW_TO_OPEN = {"librosa", "minilm", "speech", "transformer", "use_multilingual"}
# Of films: tests/test_video.py.
ELSEWHERE = {"frames", "motion"}
ENCODERS = {"image": "colour_hog", "audio": "mfcc", "text": "hashing"}


@pytest.fixture(scope="module")
def assets(project: Path) -> dict[str, dict[str, Any]]:
    """By modality, digest → what was handed to ingest: a file's path, or words."""
    data = project / "data"
    return {
        modality: {
            row["digest"]: data / "raw" / row["locator"]
            if row["data"] is None
            else row["data"].decode()
            for row in manifest.read(data / "assets" / modality).to_pylist()
        }
        for modality in ENCODERS
    }


@pytest.fixture(scope="module")
def gated(project: Path) -> Predictor:
    return Predictor.load(project, "gated")


@pytest.fixture(scope="module")
def samples(project: Path, assets: dict[str, dict[str, Any]]) -> list[Sample]:
    """The test split as it was before ingest."""
    rows = manifest.read(project / "data" / "curated").to_pylist()
    return [
        Sample(row["sample_id"], {m: assets[m][row[m]] for m in ENCODERS if row[m]})
        for row in rows
        if row["split"] == "test"
    ]


@pytest.mark.parametrize("modality", ENCODERS)
def test_features_are_the_rows_of_the_store(
    project: Path, assets: Mapping[str, Mapping[str, Any]], modality: str
) -> None:
    store, name = open_store(project), ENCODERS[modality]
    params = parse(sections_of_features(store.tree.params, [name]))
    encoding = Encoding(modality, params, [name])
    cleaned = [
        encoding.clean(read_asset(modality, content)) for content in assets[modality].values()
    ]
    outcomes = encoding.features(name, cleaned)
    rows = store[name].to_arrow(["digest", "length"])
    assert len(outcomes) == rows.num_rows
    length_of = dict(zip(rows["digest"].to_pylist(), rows["length"].to_pylist(), strict=True))
    for row, (values, length) in zip(cleaned, outcomes, strict=True):
        assert values.tobytes() == store[name].get(row["digest"])[0].tobytes()
        assert length == length_of[row["digest"]]


@pytest.mark.parametrize("encoder", sorted({*names("encoders")} - SLOW_TO_OPEN - ELSEWHERE))
def test_every_encoder_is_fed_as_its_stage_feeds_it(
    project: Path, assets: Mapping[str, Mapping[str, Any]], encoder: str
) -> None:
    if examples.missing(encoder):
        pytest.skip(f"{encoder} is an extra")
    modality = encoder_of(encoder).MODALITY
    feature = examples.options(encoder).model_dump(mode="json", exclude_defaults=True)
    document = sections_of_features(open_store(project).tree.params, [])
    document["features"] = {"it": {"modality": modality, "encoder": encoder, **feature}}
    params = parse(document)
    chosen = sorted(assets[modality])[:2]
    encoding = Encoding(modality, params, ["it"])
    raw = [encoding.clean(read_asset(modality, assets[modality][digest])) for digest in chosen]
    plan = extract.plan(params, "it", project / "data")
    rows = [row for row in plan.rows() if row.digest in chosen and row.view == 0]
    staged = outcomes(plan.work, plan.work.open(), sorted(rows, key=lambda row: row.digest))
    for (values, length), (expected, frames) in zip(
        encoding.features("it", raw), staged, strict=True
    ):
        assert values.tobytes() == expected.tobytes()
        assert length == frames


def test_probabilities_are_the_evaluations(
    project: Path, gated: Predictor, samples: list[Sample]
) -> None:
    path = project / "data" / "evaluation" / "gated" / "predictions.parquet"
    evaluated = {
        row["sample_id"]: row for row in pq.read_table(path).to_pylist() if row["split"] == "test"
    }
    answers, rejects = gated.predict(samples)
    assert answers.num_rows == len(evaluated) > 0
    assert rejects.num_rows == 0
    for row in answers.to_pylist():
        expected = evaluated[row["sample_id"]]
        shares = [share for _, share in row["probabilities.shape"]]
        assert shares == expected["probabilities"]
        assert row["answer.shape"] == expected["prediction"]
        assert row["confidence.shape"] == max(shares)
        assert row["present"] == sorted(expected["present"])


def test_batches_and_threads_change_no_bit(gated: Predictor, samples: list[Sample]) -> None:
    together = gated.predict(samples).answers
    with ThreadPoolExecutor(4) as pool:
        alone = [each.answers for each in pool.map(lambda sample: gated.predict([sample]), samples)]
    assert [table.to_pylist()[0] for table in alone] == together.to_pylist()


def test_what_is_refused_costs_its_modality_and_no_row(gated: Predictor, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    given = [
        Sample("whole", {"image": picture("cross", 1), "text": "a crossed cross"}),
        Sample("half", {"image": tmp_path / "broken.png", "audio": sound("cross", 1)}),
        Sample("none", {"image": tmp_path / "gone.png"}),
        Sample("empty", {}),
        Sample("bad", {}, Rejected("bad_row", "the row is none")),
        Sample("other", {"smell": b"roses"}),
    ]
    answers, rejects = gated.predict(given)
    rows = {row["sample_id"]: row for row in answers.to_pylist()}
    assert list(rows) == [sample.sample_id for sample in given]
    assert rows["whole"]["present"] == ["image", "text"]
    assert rows["half"]["present"] == ["audio"]
    assert rows["half"]["answer.shape"] in ("circle", "square", "cross")
    assert set(dict(rows["half"]["inputs"])) == {"image", "audio"}
    unanswered = [name for name, row in rows.items() if row["answer.shape"] is None]
    assert unanswered == ["none", "empty", "bad", "other"]
    assert [(r["sample_id"], r["modality"], r["stage"], r["reason"]) for r in rejects.to_pylist()][
        1:
    ] == [
        ("none", "image", "read", "missing_file"),
        ("none", None, "predict", "no_modality"),
        ("empty", None, "predict", "no_modality"),
        ("bad", None, "predict", "bad_row"),
        ("other", None, "predict", "no_modality"),
    ]
    refused = rejects.to_pylist()[0]
    assert (refused["sample_id"], refused["stage"]) == ("half", "clean/image")
    assert refused["digest"] == dict(rows["half"]["inputs"])["image"]


def test_contributions_add_up_to_the_answer(gated: Predictor) -> None:
    sample = Sample("one", {"image": picture("circle", 2), "text": "a round circle"})
    (row,) = gated.predict([sample], explain=True, top=2).answers.to_pylist()
    given = dict(row["contributions.shape"])
    assert set(given) == {"image", "text"}
    prior = dict(zip(gated.model.classes["shape"], gated.model.priors["shape"], strict=True))
    gained = np.log(row["confidence.shape"]) - np.log(prior[row["answer.shape"]])
    assert sum(given.values()) == pytest.approx(gained, abs=1e-5)
    names = [name for name, _ in row["probabilities.shape"]]
    assert names[0] == row["answer.shape"]
    assert len(names) == 2


def test_lineage_names_what_the_answer_is_made_from(project: Path, gated: Predictor) -> None:
    (row,) = gated.predict([Sample("one", {"text": "a round circle"})]).answers.to_pylist()
    store = open_store(project)
    assert dict(row["features"]) == {name: store[name].digest for name in ENCODERS.values()}
    assert row["model"] == "gated"
    assert len(row["revision"].removesuffix("-dirty")) == 40


def test_a_model_that_is_not_there_or_was_changed_is_refused(project: Path) -> None:
    with pytest.raises(PipelineError, match=r"unknown model in the work tree 'nose'.*gated, image"):
        Predictor.load(project, "nose")
    weights = project / "data" / "models" / "image" / "model.safetensors"
    whole = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        with pytest.raises(PipelineError, match=r"model 'image' is not the file that training"):
            Predictor.load(project, "image")
    finally:
        weights.unlink()
        weights.write_bytes(whole)


def test_a_folder_that_was_handed_over_answers_alike(
    project: Path, gated: Predictor, samples: list[Sample], tmp_path: Path
) -> None:
    find_model(project, "gated").write(tmp_path)
    handed = Predictor.open(tmp_path)
    assert handed.predict(samples).answers.equals(gated.predict(samples).answers)
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(PipelineError, match="is not the file that training wrote"):
        Predictor.open(tmp_path)
    with pytest.raises(PipelineError, match="holds no model that was handed over"):
        Predictor.open(project)


def test_a_graph_of_onnx_answers_without_torch(
    project: Path, gated: Predictor, samples: list[Sample], tmp_path: Path
) -> None:
    files = find_model(project, "gated")
    files.write(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    save_graph(tmp_path, onnx_graph(gated.model.torch_network, gated.model.sets), gated.model)
    digests = {name: digest_file(tmp_path / name, "md5") for name in ("model.json", "model.onnx")}
    about = replace(files.about, files=digests)
    (tmp_path / "predictor.json").write_text(json.dumps(asdict(about)))
    graph = Predictor.open(tmp_path).predict(samples).answers["probabilities.shape"].to_pylist()
    torch = gated.predict(samples).answers["probabilities.shape"].to_pylist()
    for shares, expected in zip(graph, torch, strict=True):
        assert dict(shares) == pytest.approx(dict(expected), abs=1e-5)
    code = (
        "import sys; from pipeline import Predictor, Sample; "
        f"row, = Predictor.open({str(tmp_path)!r}).predict([Sample('1', dict(text='a circle'))])"
        ".answers.to_pylist(); assert row['answer.shape']; assert 'torch' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(tmp_path), check=True
    )


def test_an_alias_names_a_model_and_its_revision(project: Path, tmp_path: Path) -> None:
    alias = Alias(model="gated", revision="0" * 40)
    write_aliases(tmp_path, {"champion": alias})
    with pytest.raises(PipelineError, match="names a revision itself"):
        find_model(tmp_path, "champion", "HEAD")


def test_other_features_are_refused_with_the_difference(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["clean"]["image"]["max_side"] = 99
    params["features"]["mfcc"]["bands"] = 40
    monkeypatch.setattr(WorkTree, "params", params)
    with pytest.raises(PipelineError) as told:
        Predictor.load(project, "gated")
    assert "clean/image: parameter max_side: " in str(told.value)
    assert "mfcc: parameter bands: 64 → 40" in str(told.value)
    del params["features"]["hashing"]
    with pytest.raises(PipelineError, match="unknown feature set 'hashing'; there are: "):
        Predictor.load(project, "gated")
