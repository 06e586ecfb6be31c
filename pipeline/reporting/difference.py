"""By how much one model beats another on the same samples, with an interval.

Two intervals that overlap say little about a difference, since both models meet the same easy and
hard samples. So the difference itself is resampled: a paired percentile bootstrap over components
(Efron and Tibshirani, An Introduction to the Bootstrap, 1993), samples of one being dependent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.core.randomness import generator
from pipeline.core.records import MIN_COMPONENTS
from pipeline.models.comparison.paired_bootstrap import paired_differences
from pipeline.models.evaluation.scorer import Scorer
from pipeline.reporting.inputs import EvaluatedModel


@dataclass(frozen=True)
class ModelDifference:
    """Of macro-F1: `value` with its interval, over samples that both models predicted."""

    value: float
    low: float
    high: float
    samples: int
    components: int


def model_difference(
    model: EvaluatedModel,
    other: EvaluatedModel,
    task: str,
    components: Mapping[str, str],
    draws: int,
    confidence: float,
) -> ModelDifference | None:
    """Macro-F1 of `model` less that of `other` on the test split.

    None without common samples, where fewer than MIN_COMPONENTS bring them, and of labels and
    numbers, which have no one class per sample.

    Parameters
    ----------
    components:
        Sample id → component.
    draws:
        Resamples.
    confidence:
        Mass of the interval, 0 to 1.
    """
    if not all(compared.task(task).ONE_CLASS for compared in (model, other)):
        return None
    first, second = _answers(model, task), _answers(other, task)
    common = sorted(first.keys() & second.keys() & components.keys())
    if not common:
        return None
    rows = np.array([(*first[sample], second[sample][1]) for sample in common])
    classes, places = np.unique(rows, return_inverse=True)
    truth, predicted, other_predicted = places.reshape(rows.shape).T
    component = np.array([components[sample] for sample in common])
    groups = len(np.unique(component))
    if groups < MIN_COMPONENTS:
        return None
    rng = generator(0, "report", "difference", task)
    scorer = Scorer(truth, component, len(classes), draws, rng)
    scores = dict(
        zip(("own", "other"), scorer.scores([[predicted], [other_predicted]]), strict=True)
    )
    (paired,) = paired_differences(scores, [("own", "other")], confidence)
    return ModelDifference(paired.value, paired.low, paired.high, len(common), groups)


def _answers(model: EvaluatedModel, task: str) -> dict[str, tuple[str, str]]:
    """Sample id → (truth, prediction)."""
    return {
        row["sample_id"]: (row["truth"], row["prediction"])
        for row in model.predictions
        if row["task"] == task and row["split"] == "test" and row["truth"] is not None
    }
