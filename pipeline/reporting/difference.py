"""By how much one model beats another on the same samples, with an interval.

Two intervals that overlap say little about a difference, since both models meet the same easy and
hard samples. So the difference itself is resampled: a paired percentile bootstrap over components
(Efron and Tibshirani, An Introduction to the Bootstrap, 1993), samples of one being dependent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.models.bootstrap import interval, resample
from pipeline.models.metrics import from_confusion
from pipeline.models.options import ONE_CLASS
from pipeline.randomness import generator
from pipeline.reporting.inputs import Model


@dataclass(frozen=True)
class Difference:
    """Of macro-F1: `value` with its interval, over samples that both models predicted."""

    value: float
    low: float
    high: float
    samples: int
    components: int


def difference(
    model: Model,
    other: Model,
    task: str,
    components: Mapping[str, str],
    draws: int,
    confidence: float,
) -> Difference | None:
    """Macro-F1 of `model` less that of `other` on the test split.

    None without common samples, and of labels and numbers, which have no one class a sample.

    Parameters
    ----------
    components:
        Sample id → component.
    draws:
        Resamples.
    confidence:
        Mass of the interval, 0 to 1.
    """
    if not {model.kind(task), other.kind(task)} <= set(ONE_CLASS):
        return None
    first, second = _answers(model, task), _answers(other, task)
    common = sorted(first.keys() & second.keys() & components.keys())
    if not common:
        return None
    classes = _index(name for answers in (first, second) for s in common for name in answers[s])
    groups = _index(components[sample] for sample in common)
    place = np.array([groups[components[sample]] for sample in common])
    cells = [
        _count([answers[sample] for sample in common], classes, place, len(groups))
        for answers in (first, second)
    ]
    counts = resample(generator(0, "report", "difference", task), len(groups), draws)
    once = np.ones((1, len(groups)))
    value = _macro_f1(once, cells[0]) - _macro_f1(once, cells[1])
    low, high = interval(_macro_f1(counts, cells[0]) - _macro_f1(counts, cells[1]), confidence)
    return Difference(float(value[0]), low, high, len(common), len(groups))


def _answers(model: Model, task: str) -> dict[str, tuple[str, str]]:
    """Sample id → (truth, prediction)."""
    return {
        row["sample_id"]: (row["truth"], row["prediction"])
        for row in model.predictions
        if row["task"] == task and row["split"] == "test" and row["truth"] is not None
    }


def _index(names: Iterable[str]) -> dict[str, int]:
    return {name: i for i, name in enumerate(sorted(set(names)))}


def _count(
    answers: Sequence[tuple[str, str]],
    classes: Mapping[str, int],
    place: npt.NDArray[np.int64],
    groups: int,
) -> npt.NDArray[np.float64]:
    """Counts of each group by truth and prediction, (groups, classes, classes)."""
    truth, prediction = np.array([[classes[t], classes[p]] for t, p in answers]).T
    cells = np.zeros((groups, len(classes), len(classes)))
    np.add.at(cells, (place, truth, prediction), 1)
    return cells


def _macro_f1(
    counts: npt.NDArray[np.float64], cells: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Of each resample (draws, groups), as the evaluation has it."""
    groups, classes, _ = cells.shape
    matrices = (counts @ cells.reshape(groups, -1)).reshape(-1, classes, classes)
    scores: npt.NDArray[np.float64] = from_confusion(matrices)["macro_f1"]
    return scores
