"""Any number of labels: a sigmoid and a threshold each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.models.targets import SEPARATOR, is_known, order_classes, split_labels
from pipeline.models.task_options import TaskOptions
from pipeline.models.tasks import Figure, _cross_entropy
from pipeline.models.tasks._thresholds import best_threshold

if TYPE_CHECKING:
    from torch import Tensor, nn

ONE_CLASS = False
NUMBER = False
SOFTMAX = False
SEQUENCE = False
Options = TaskOptions
FIGURES: Mapping[str, Figure] = {
    "macro_f1": Figure("macro-F1"),
    "mean_average_precision": Figure("mean average precision"),
    "accuracy": Figure("accuracy"),
    "micro_f1": Figure("micro-F1"),
    "macro_precision": Figure("macro precision"),
    "macro_recall": Figure("macro recall"),
    "ece": Figure("calibration error", less_is_better=True),
}
TRIVIAL = "majority"
FITTED: tuple[str, ...] = ("temperature", "thresholds")


def classes(values: Iterable[object], options: TaskOptions) -> list[str]:
    """All labels that occur, as declared, else by value or as text."""
    names = {label for value in values if is_known(value) for label in split_labels(value)}
    return order_classes(names, options.order)


def encode(values: Iterable[object], classes: Sequence[str]) -> np.ndarray:
    cells = list(values)
    encoded = np.full((len(cells), len(classes)), np.nan, np.float32)
    position = {name: i for i, name in enumerate(classes)}
    for row, value in enumerate(cells):
        if is_known(value):
            encoded[row] = 0
            encoded[row, [position[label] for label in split_labels(value)]] = 1
    return encoded


def layer(width: int, classes: int, options: TaskOptions) -> nn.Module:
    from torch import nn

    return nn.Linear(width, classes)


def loss(logits: Tensor, targets: Tensor, smoothing: float, focal: float) -> Tensor:
    """(n, labels)"""
    return _cross_entropy.of_bits(logits, targets.nan_to_num(), smoothing, focal)


def answer(logits: Tensor) -> Tensor:
    return logits.sigmoid()


def decide(answer: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """0 or 1, int64 (n, labels)."""
    return (answer >= np.asarray(thresholds, answer.dtype)).astype(np.int64)


def say(decision: np.ndarray, classes: Sequence[str]) -> str:
    """The labels with `|` between them; `|` alone if there are none."""
    labels = [name for name, has_label in zip(classes, decision, strict=True) if has_label]
    return SEPARATOR.join(labels) or SEPARATOR


def confidence(answer: np.ndarray, decision: np.ndarray) -> np.ndarray:
    """Of each label that it is there, decided or not."""
    return answer


def correct(truth: np.ndarray, decision: np.ndarray) -> np.ndarray:
    return np.asarray(truth > 0)


def certainty(answer: np.ndarray, decision: np.ndarray) -> np.ndarray:
    sure = np.where(decision > 0, answer, 1 - answer)
    return np.asarray(sure.min(1, initial=1.0))


def fit_thresholds(answer: np.ndarray, truth: np.ndarray) -> list[float]:
    return [best_threshold(a, t) for a, t in zip(answer.T, truth.T, strict=True)]


def figures(truth: np.ndarray, answer: np.ndarray, decision: np.ndarray) -> dict[str, float]:
    """Macro averages run over the labels that occur among the truths.

    `accuracy` is the share of examples with every label right, `mean_average_precision` the mean
    over labels of the average precision.
    """
    from sklearn.metrics import (
        accuracy_score,
        average_precision_score,
        f1_score,
        precision_recall_fscore_support,
    )

    truth = truth.astype(np.int64)
    scores = {"accuracy": float(accuracy_score(truth, decision))}
    occurring = np.flatnonzero(truth.any(0))
    if not len(occurring):
        return scores
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth[:, occurring], decision[:, occurring], average="macro", zero_division=0
    )
    return {
        **scores,
        "macro_f1": float(f1),
        "micro_f1": float(f1_score(truth, decision, average="micro", zero_division=0)),
        "macro_precision": float(precision),
        "macro_recall": float(recall),
        "mean_average_precision": float(
            average_precision_score(truth[:, occurring], answer[:, occurring], average="macro")
        ),
    }
