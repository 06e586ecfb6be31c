"""One of two classes, the second being the positive one: a sigmoid and a threshold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.models import classified
from pipeline.models.targets import occurring_classes, order_classes
from pipeline.models.task_options import TaskOptions
from pipeline.models.tasks import Figure, _cross_entropy
from pipeline.models.tasks._thresholds import best_threshold

if TYPE_CHECKING:
    from torch import Tensor, nn

ONE_CLASS = True
NUMBER = False
SOFTMAX = False
SEQUENCE = False
Options = TaskOptions
FIGURES: Mapping[str, Figure] = {
    "macro_f1": classified.FIGURES["macro_f1"],
    "accuracy": classified.FIGURES["accuracy"],
    "roc_auc": Figure("ROC AUC"),
    "average_precision": Figure("average precision"),
    "f1": Figure("F1 of the positive class"),
    **classified.FIGURES,
}
TRIVIAL = "majority"
FITTED: tuple[str, ...] = ("temperature", "thresholds")
encode, say = classified.encode, classified.format_class
confidence = certainty = classified.confidence
correct = classified.correct


def classes(values: Iterable[object], options: TaskOptions) -> list[str]:
    """As declared, else by value or as text: no before yes, 0 before 1."""
    names = order_classes(occurring_classes(values), options.order)
    if len(names) > 2:
        raise PipelineError(f"a binary target has two classes, not {len(names)}: {names}")
    return names


def layer(width: int, classes: int, options: TaskOptions) -> nn.Module:
    from torch import nn

    return nn.Linear(width, 1)


def loss(logits: Tensor, targets: Tensor, smoothing: float, focal: float) -> Tensor:
    bits = targets.clamp(min=0).to(logits.dtype)
    return _cross_entropy.of_bits(logits[:, 0], bits, smoothing, focal)


def answer(logits: Tensor) -> Tensor:
    """Of both classes."""
    import torch

    return torch.cat([-logits, logits], 1).sigmoid()


def decide(answer: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """1 where the second class is at least as likely as the threshold says."""
    return np.asarray(answer[:, 1] >= thresholds[0], np.int64)


def fit_thresholds(answer: np.ndarray, truth: np.ndarray) -> list[float]:
    return [best_threshold(answer[:, 1], truth)]


def figures(truth: np.ndarray, answer: np.ndarray, decision: np.ndarray) -> dict[str, float]:
    """ROC AUC and average precision, where both classes occur; the positive class's F1."""
    from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

    scores = {"f1": float(f1_score(truth, decision, zero_division=0))}
    if 0 < truth.sum() < len(truth):
        scores["roc_auc"] = float(roc_auc_score(truth, answer[:, 1]))
        scores["average_precision"] = float(average_precision_score(truth, answer[:, 1]))
    return scores
