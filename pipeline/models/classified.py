"""What the tasks of one class per sample share; each takes what it wants of this."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from pipeline.models.targets import class_indices
from pipeline.models.tasks import Figure

FIGURES = {
    "macro_f1": Figure("macro-F1"),
    "accuracy": Figure("accuracy"),
    "ece": Figure("calibration error", less_is_better=True),
    "balanced_accuracy": Figure("balanced accuracy"),
    "weighted_f1": Figure("weighted F1"),
    "macro_precision": Figure("macro precision"),
    "macro_recall": Figure("macro recall"),
    "weighted_precision": Figure("weighted precision"),
    "weighted_recall": Figure("weighted recall"),
}


def encode(values: Iterable[object], classes: Sequence[str]) -> np.ndarray:
    return class_indices(values, classes)


def format_class(decision: int, classes: Sequence[str]) -> str:
    return classes[decision]


def confidence(answer: np.ndarray, decision: np.ndarray) -> np.ndarray:
    """(n,)"""
    probabilities: np.ndarray = np.take_along_axis(answer, decision[:, None], 1)[:, 0]
    return probabilities


def correct(truth: np.ndarray, decision: np.ndarray) -> np.ndarray:
    """(n,)"""
    return np.asarray(truth == decision)
