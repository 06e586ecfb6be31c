from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.core.schemas import predictions_schema
from pipeline.models.alignment.retrieval import CUTS
from pipeline.models.answer_table import unlabelled
from pipeline.models.evaluation.alignment import Named, add_retrieval, add_zero_shot
from pipeline.models.evaluation.evaluate import Evaluation, Split, evaluate
from pipeline.models.evaluation.label_shares import label_share_figures
from pipeline.models.evaluation.options import EvaluationOptions
from pipeline.models.evaluation.results import write_evaluation
from pipeline.models.examples import Examples
from pipeline.models.saving import TrainedModel
from pipeline.models.training.loop import train
from tests.models.alignment.world import examples, options

CLASSES = ["left", "right"]
OPTIONS = EvaluationOptions(resamples=100, draws=2, zero_shot=("side",), label_shares=(0.1, 1.0))


def sided(data: Examples) -> Examples:
    """Which side the hidden thing is on, as the words' first number tells."""
    return replace(data, targets={"side": (data.values["words"][0, :, 0] > 0).astype(np.int64)})


SPLITS = {
    name: sided(examples(count, seed=seed, absent=absent))
    for name, count, seed, absent in (
        ("train", 60, 0, 0.0),
        ("validation", 30, 1, 0.0),
        ("test", 30, 2, 0.1),
    )
}
HALF = np.where(np.arange(len(SPLITS["test"])) < 30, "first", "second").astype(object)
SOURCE = np.full(len(HALF), "drawings", object)  # which all have, and so tells nothing
TEST = Split("test", SPLITS["test"], {"half": HALF, "source": SOURCE})


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    chosen = options()
    learned = [replace(SPLITS[name], targets={}) for name in ("train", "validation")]
    network = train(*learned, {}, chosen, 0, torch.device("cpu")).network
    return TrainedModel(network, list(SPLITS["train"].sets), chosen, {}, {}, {})


@pytest.fixture(scope="module")
def retrieved(model) -> Evaluation:
    evaluation = evaluate("shared", model, [TEST], OPTIONS, 0)
    add_retrieval(evaluation, "shared", model, TEST, OPTIONS, 0)
    return evaluation


def test_every_direction_has_figures_with_intervals(retrieved):
    assert len(retrieved.metrics) == 7 + 6 * 2
    for task, splits in retrieved.metrics.items():
        figures = splits["test"]
        for name in ("mean_recall",) if task == "alignment" else ("recall_1", "median_rank"):
            assert figures[name]["low"] <= figures[name]["value"] <= figures[name]["high"]
    recalls = [
        splits["test"][f"recall_{cut}"]["value"]
        for task, splits in retrieved.metrics.items()
        for cut in CUTS
        if task != "alignment" and "half" not in task
    ]
    mean = retrieved.metrics["alignment"]["test"]["mean_recall"]["value"]
    assert mean == pytest.approx(np.mean(recalls))
    assert retrieved.headlines == {"test": {"alignment": {"mean_recall": mean}}}


def test_questions_of_each_group_are_asked_among_all_answers(retrieved):
    whole = retrieved.metrics["image → text"]["test"]
    first, second = (
        retrieved.metrics[f"image → text, half {half}"]["test"] for half in ("first", "second")
    )
    assert first["n"] + second["n"] == whole["n"]
    assert first["components"] == second["components"] == 15
    shares = [each["n"] * each["recall_1"]["value"] / whole["n"] for each in (first, second)]
    assert sum(shares) == pytest.approx(whole["recall_1"]["value"])
    assert first["chance"]["recall_1"] == pytest.approx(whole["chance"]["recall_1"], rel=0.1)


def test_a_prediction_is_right_where_the_nearest_is_kin(retrieved, tmp_path):
    rows = [row for row in retrieved.predictions if row["task"] == "image → text"]
    measured = retrieved.metrics["image → text"]["test"]
    assert len(rows) == measured["n"]
    share = np.mean([row["prediction"] == row["truth"] for row in rows])
    assert share == pytest.approx(measured["recall_1"]["value"])
    assert set(rows[0]) == set(predictions_schema().names)
    write_evaluation(tmp_path, "alignment", retrieved)
    assert "image → text,test,chance/recall_1," in (tmp_path / "figures.csv").read_text()


def test_a_class_is_told_by_its_name_alone(model):
    words = SPLITS["train"].values["words"][0]
    side = SPLITS["train"].targets["side"]
    typical = [(words[side == each].mean(0), 1) for each in (0, 1)]
    nothing: list[tuple[np.ndarray, int] | None] = [None, None]
    names = unlabelled(model.sets, {"pixels": nothing, "spectrum": nothing, "words": typical})
    evaluation = Evaluation()
    add_zero_shot(evaluation, model, TEST, {"side": Named(CLASSES, names)}, OPTIONS, 0)
    assert set(evaluation.metrics) == {"image → side", "audio → side"}
    for splits in evaluation.metrics.values():
        assert splits["test"]["accuracy"]["value"] > 0.65
        assert splits["test"]["chance"]["accuracy"] == 0.5


def test_known_towers_help_where_labels_are_few(model):
    short = replace(model, options=options(epochs=4, learning_rate=0.003))
    figures = label_share_figures(short, SPLITS, "side", CLASSES, OPTIONS, 0)
    assert list(figures) == ["side @ 10 %", "side @ 100 %"]
    few, all_labels = figures.values()
    assert (few["components"], all_labels["components"]) == (6, 60)
    assert few["gain"]["value"] == pytest.approx(few["warm"]["value"] - few["cold"]["value"])
    assert all_labels["warm"]["value"] > 0.8
    assert few["gain"]["value"] > 0
    none = np.full(len(SPLITS["train"]), -1)  # a target that only samples of another source have
    besides = {
        name: replace(each, targets={**each.targets, "folder": none[: len(each)]})
        for name, each in SPLITS.items()
    }
    assert label_share_figures(short, besides, "side", CLASSES, OPTIONS, 0) == figures


def test_an_empty_split_has_no_figures(model):
    nobody = Split("test", SPLITS["test"].take(np.arange(0)), {})
    evaluation = Evaluation()
    add_retrieval(evaluation, "shared", model, nobody, OPTIONS, 0)
    add_zero_shot(evaluation, model, nobody, {}, OPTIONS, 0)
    empty = {**SPLITS, "test": nobody.examples}
    assert label_share_figures(model, empty, "side", CLASSES, OPTIONS, 0) == {}
    assert evaluation == Evaluation()
