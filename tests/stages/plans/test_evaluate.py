from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_file
from pipeline.execution.run_record import summary_of
from pipeline.models.evaluation.figure_files import read_figures
from pipeline.models.evaluation.options import EvaluationOptions
from pipeline.stages.plans import train
from pipeline.stages.plans.evaluate import plan
from tests.models.synthetic import SETS, joined, options
from tests.stages.plans.stored import params, store_curated, store_features, store_world

ROOT = Path("data")
OUT = ROOT / "evaluation" / "m"
MODELS = {"m": options(epochs=2)}


@pytest.fixture
def world(inside):
    world = store_world(ROOT)
    train.plan(params(MODELS), "m").run()
    return world


def test_it_measures_the_held_out_splits(world):
    summary = plan(params(MODELS), "m").run()
    assert (summary.computed, summary.rejected) == (1, 0)
    assert summary.rows == (world.split != "train").sum()
    assert read_figures(OUT)["category"]["test"]["n"] == (world.split == "test").sum()


def test_how_long_the_test_split_took_stands_in_the_record_alone(world):
    summary = plan(params(MODELS), "m").run()
    told = summary_of(summary)["inference"]
    assert told["samples"] == (world.split == "test").sum()
    assert 0 < told["seconds"] < 10
    json.dumps(told)
    assert "seconds" not in "".join(
        path.read_text() for path in OUT.iterdir() if path.suffix != ".parquet"
    )
    assert not summary_of(plan(params(MODELS), "m").run())["inference"]


def test_labels_and_numbers_go_through_the_stages(inside):
    world = joined()
    kinds = {"category": "multilabel", "language": "regression"}
    numbers = 10.0 + np.array([ord(name[0]) for name in world.targets["language"]])
    numbers[::7] = None
    labels = np.array([f"{'low' if int(k[1]) < 4 else 'high'}|{k}"
                       for k in world.targets["category"]], object)  # fmt: skip
    world = replace(world, targets={"category": labels, "language": numbers})
    store_curated(ROOT, world, kinds)
    for name in SETS:
        store_features(ROOT, name, [world])
    models = {"m": options(epochs=15)}
    train.plan(params(models, targets=kinds), "m").run()
    plan(params(models, targets=kinds), "m").run()
    tasks = read_figures(OUT)
    known = (world.split == "test") & ~np.isnan(numbers)
    assert tasks["language"]["test"]["n"] == known.sum() < (world.split == "test").sum()
    assert tasks["language"]["test"]["r2"]["value"] > 0.3
    assert tasks["category"]["test"]["macro_f1"]["value"] > 0.3
    rows = pq.read_table(OUT / "predictions.parquet").to_pylist()
    (one,) = [r for r in rows if r["task"] == "category" and r["sample_id"] == rows[0]["sample_id"]]
    assert len(one["probabilities"]) == 10
    assert set(one["truth"].split("|")) & {"low", "high"}
    values = [float(r["prediction"]) for r in rows if r["task"] == "language"]
    assert min(values) > 90
    assert {tuple(r["probabilities"]) for r in rows if r["task"] == "language"} == {()}


def test_each_set_is_measured_once(world, monkeypatch):
    """For its deviation, by which noise is drawn, and for its mean, which gradients start from."""
    from pipeline.models import statistics as module
    from pipeline.models.explanation import gradients

    measure, asked, given = module.feature_moments, [], {}

    def statistics(train, name):
        asked.append(name)
        return measure(train, name)

    def attributed(model, examples, means, samples, seed):
        given.update(means)
        return []

    monkeypatch.setattr(module, "feature_moments", statistics)
    monkeypatch.setattr(gradients, "attribution_rows", attributed)
    plan(params(MODELS, evaluate=EvaluationOptions(attributed=5)), "m").run()
    assert sorted(asked) == sorted(given) == sorted(SETS)
    train = world.split == "train"
    for name, mean in given.items():
        seen = world.values[name][train & world.present[name]]
        np.testing.assert_allclose(mean, seen.mean(0), atol=1e-5)


def test_groups_are_cut_by_targets_and_attributes(world):
    plan(params(MODELS), "m").run()
    with (OUT / "groups.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["attribute"], row["value"]) for row in rows} == {
        ("language", "de"),
        ("language", "el"),
        ("language", "fr"),
        ("voice", "high"),
        ("voice", "low"),
    }


def test_an_unknown_group_is_said(world):
    wrong = EvaluationOptions(group_by=("mood",))
    with pytest.raises(PipelineError, match="unknown target or attribute 'mood'; there are: cat"):
        plan(params(MODELS, evaluate=wrong), "m").run()


def test_the_same_again_computes_nothing_and_anew_gives_the_same_bytes(world):
    plan(params(MODELS), "m").run()
    before = {path.name: digest_file(path) for path in OUT.iterdir()}
    assert plan(params(MODELS), "m").run().computed == 0
    (OUT / "metrics.json").unlink()
    assert plan(params(MODELS), "m").run().computed == 1
    assert {path.name: digest_file(path) for path in OUT.iterdir()} == before


def test_another_model_is_measured_anew(world):
    plan(params(MODELS), "m").run()
    other = {"m": options(epochs=1)}
    train.plan(params(other), "m").run()
    assert plan(params(other), "m").run().computed == 1


def test_a_model_must_be_trained_first(inside):
    store_world(ROOT)
    with pytest.raises(PipelineError, match="models/m is not finished"):
        plan(params(MODELS), "m").run()


def test_a_model_with_nothing_to_learn_stays_untrained_and_has_no_figures(inside, caplog):
    """One such model stops neither its stage nor the others."""
    world = joined()
    world.present["spectrum"][world.split == "train"] = False
    store_curated(ROOT, world)
    for name in SETS:
        store_features(ROOT, name, [world])
    given = params({"m": options(features=["spectrum"], fusion="none", epochs=1)})
    assert train.plan(given, "m").run().computed == 1
    assert "stays untrained and has no figures: the train split has no sample" in caplog.text
    assert plan(given, "m").run().computed == 1
    figures = read_figures(OUT)
    labelled = (world.split == "test").sum()
    assert figures["category"]["test"] == {
        "n": labelled,
        "components": len({*world.component[world.split == "test"]}),
        "unseen": labelled,
    }
    assert json.loads((ROOT / "evaluation" / "m" / "metrics.json").read_text()) == {}
    curves = [*(ROOT / "models" / "m" / "curves").rglob("*.tsv")]
    assert curves
    assert all("nan" in path.read_text() for path in curves)


def test_a_split_of_which_the_model_sees_nothing_has_no_figures(inside):
    world = joined()
    world.present["spectrum"][world.split == "test"] = False
    store_curated(ROOT, world)
    for name in SETS:
        store_features(ROOT, name, [world])
    given = params({"m": options(features=["spectrum"], fusion="none", epochs=1)})
    train.plan(given, "m").run()
    plan(given, "m").run()
    figures = read_figures(OUT)["category"]
    assert {*figures["test"]} == {"n", "components", "unseen"}
    assert figures["validation"]["macro_f1"]["low"] is not None
    assert (ROOT / "evaluation" / "m" / "robustness.csv").read_text().count("\n") == 1
