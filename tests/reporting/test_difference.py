"""The paired difference: its value is that of the metrics, its interval knows the pairing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from pipeline.core.randomness import generator
from pipeline.models.evaluation.bootstrap import interval, resample
from pipeline.models.metrics import from_tally
from pipeline.models.tasks import Task, task_of
from pipeline.reporting.difference import model_difference


@dataclass
class Told:
    """As much of a model as a difference looks at."""

    predictions: list[dict[str, Any]] = field(default_factory=list)

    def task(self, name: str) -> Task:
        return task_of("multiclass")


def told(truth: list[str], said: list[str], split: str = "test") -> Told:
    return Told(
        [
            {"sample_id": f"s{i}", "split": split, "task": "t", "truth": t, "prediction": p}
            for i, (t, p) in enumerate(zip(truth, said, strict=True))
        ]
    )


RNG = np.random.default_rng(0)
TRUTH = [str(n) for n in RNG.choice(list("abc"), 300)]
GOOD = [t if RNG.random() < 0.8 else "a" for t in TRUTH]
POOR = [t if RNG.random() < 0.5 else "b" for t in TRUTH]
COMPONENTS = {f"s{i}": f"c{i // 5}" for i in range(300)}


def macro_f1(said: list[str]) -> float:
    return float(f1_score(TRUTH, said, average="macro"))


def test_it_is_the_difference_of_the_scores() -> None:
    result = model_difference(told(TRUTH, GOOD), told(TRUTH, POOR), "t", COMPONENTS, 500, 0.95)  # type: ignore[arg-type]
    assert result is not None
    assert result.value == pytest.approx(macro_f1(GOOD) - macro_f1(POOR), abs=1e-12)
    assert 0 < result.low < result.value < result.high
    assert (result.samples, result.components) == (300, 60)


def test_a_model_does_not_differ_from_itself() -> None:
    result = model_difference(told(TRUTH, GOOD), told(TRUTH, GOOD), "t", COMPONENTS, 200, 0.95)  # type: ignore[arg-type]
    assert result is not None
    assert (result.low, result.value, result.high) == (0.0, 0.0, 0.0)


def test_more_mass_is_a_wider_interval() -> None:
    narrow, wide = (
        model_difference(told(TRUTH, GOOD), told(TRUTH, POOR), "t", COMPONENTS, 500, mass)  # type: ignore[arg-type]
        for mass in (0.5, 0.99)
    )
    assert narrow is not None
    assert wide is not None
    assert wide.low < narrow.low < narrow.high < wide.high


def test_without_common_test_samples_there_is_none() -> None:
    training = told(TRUTH, GOOD, split="validation")
    assert model_difference(told(TRUTH, GOOD), training, "t", COMPONENTS, 200, 0.95) is None  # type: ignore[arg-type]
    assert model_difference(told(TRUTH, GOOD), told(TRUTH, POOR), "t", {}, 200, 0.95) is None  # type: ignore[arg-type]


def test_its_interval_is_that_of_confusion_matrices() -> None:
    """Of all truths and predictions at once, as one may also count them."""
    result = model_difference(told(TRUTH, GOOD), told(TRUTH, POOR), "t", COMPONENTS, 500, 0.95)  # type: ignore[arg-type]
    assert result is not None
    place = np.arange(300) // 5
    groups = np.unique([f"c{i}" for i in place], return_inverse=True)[1]
    counts = resample(generator(0, "report", "difference", "t"), 60, 500)
    drawn = []
    for message in (GOOD, POOR):
        cells = np.zeros((60, 3, 3))
        indices = (["abc".index(name) for name in names] for names in (TRUTH, message))
        np.add.at(cells, (groups, *indices), 1)
        matrices = (counts @ cells.reshape(60, -1)).reshape(-1, 3, 3)
        hits = np.diagonal(matrices, axis1=1, axis2=2)
        tallies = np.stack([hits, matrices.sum(2), matrices.sum(1)], 1)
        drawn.append(from_tally(tallies)["macro_f1"])
    assert (result.low, result.high) == interval(drawn[0] - drawn[1], 0.95)
