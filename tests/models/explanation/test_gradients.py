from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.core.errors import PipelineError
from pipeline.models.evaluation.results import COLUMNS
from pipeline.models.explanation import gradients
from pipeline.models.prediction import predict
from pipeline.models.saving import TrainedModel
from pipeline.models.statistics import feature_moments
from pipeline.models.training.determinism import deterministic
from tests.models.synthetic import SETS, options, split_of
from tests.models.training.test_loop import CLASSES, WORLD, fit

ELSEWHERE = "requirements/engines.txt installs it, for `make test`"
TEST = split_of(WORLD, "test")
MEANS = {name: feature_moments(split_of(WORLD, "train"), name)[0] for name in SETS}


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    trained = fit(list(SETS), fusion="gated", epochs=10)
    chosen = options(fusion="gated")
    return TrainedModel(trained.network, list(TEST.sets), chosen, CLASSES, trained.priors, {})


def nats(model: TrainedModel, examples, classes: np.ndarray, task: str) -> np.ndarray:
    result = predict(model.network, examples, model.priors)[task]
    return np.log(result[np.arange(len(classes)), classes])


@pytest.mark.parametrize("task", ["category", "language"])
def test_parts_add_up_to_the_gain_over_the_mean(model, task):
    pytest.importorskip("captum", reason=ELSEWHERE)
    seen = TEST.take(TEST.seen)
    with deterministic(0, "gradients"):
        result = gradients.attributions(model, seen, MEANS, task)
    answer = predict(model.network, seen, model.priors)[task].argmax(1)
    mean = {
        name: np.broadcast_to(MEANS[name].astype(np.float32), each.shape)
        for name, each in seen.values.items()
    }
    gain = nats(model, seen, answer, task) - nats(model, replace(seen, values=mean), answer, task)
    parts = sum(each.sum(1) for each in result.values())
    assert abs(gain).max() > 0.5
    np.testing.assert_allclose(parts, gain, atol=0.03)
    for i, name in enumerate(SETS):
        assert not result[name][~seen.present[:, i]].any()


def test_shares_add_up_and_the_planted_feature_is_named(model):
    pytest.importorskip("captum", reason=ELSEWHERE)
    rows = gradients.attribution_rows(model, TEST, MEANS, 30, 7)
    assert all(set(row) == set(COLUMNS["contributions"]) for row in rows)
    overall = [row for row in rows if row["level"] == "overall"]
    assert sum(row["value"] for row in overall) == pytest.approx(1)
    best = next(row for row in rows if row["level"] == "feature" and row["modality"] == "image")
    assert best["name"] in ("pixels[0]", "pixels[1]")  # the bit of the category
    assert gradients.attribution_rows(model, TEST, MEANS, 30, 7) == rows
    assert gradients.attribution_rows(model, TEST, MEANS, 0, 7) == []


def test_what_has_no_gradient_is_not_asked(model, monkeypatch):
    binary = options(fusion="gated", tasks={"category": {"kind": "binary"}})
    assert gradients.attribution_rows(replace(model, options=binary), TEST, MEANS, 5, 7) == []
    monkeypatch.setattr(model.network.by_name["words"], "ids", True)
    assert gradients.attribution_rows(model, TEST, MEANS, 5, 7) == []


def test_without_captum_the_command_is_told(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(PipelineError, match=r"pip install 'multimodal-pipeline\[explain\]'"):
        gradients.attribution_rows(model, TEST, MEANS, 5, 7)
    assert torch.is_grad_enabled()
