from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from pipeline.digest import digest_file
from pipeline.errors import PipelineError
from pipeline.models.options import EvaluationOptions
from pipeline.stages import train
from pipeline.stages.evaluate import plan
from tests.models.synthetic import options
from tests.stages.stored import params, store_world

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
    metrics = json.loads((OUT / "metrics.json").read_text())
    assert metrics["model"] == "m"
    assert metrics["tasks"]["category"]["test"]["n"] == (world.split == "test").sum()


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
