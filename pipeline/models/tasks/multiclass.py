"""One class of several: softmax and cross entropy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.models import classified
from pipeline.models.targets import occurring_classes, order_classes
from pipeline.models.task_options import TaskOptions
from pipeline.models.tasks import _cross_entropy

if TYPE_CHECKING:
    from torch import Tensor, nn

    from pipeline.models.tasks import Figure

ONE_CLASS = True
NUMBER = False
SOFTMAX = True
SEQUENCE = False
Options = TaskOptions
FIGURES: Mapping[str, Figure] = classified.FIGURES
TRIVIAL = "majority"
FITTED: tuple[str, ...] = ("temperature",)
encode, say = classified.encode, classified.format_class
confidence = certainty = classified.confidence
correct = classified.correct


def classes(values: Iterable[object], options: TaskOptions) -> list[str]:
    """As declared, else sorted as text."""
    names = occurring_classes(values)
    return order_classes(names, options.order) if options.order else sorted(names)


def layer(width: int, classes: int, options: TaskOptions) -> nn.Module:
    from torch import nn

    return nn.Linear(width, classes)


def loss(logits: Tensor, targets: Tensor, smoothing: float, focal: float) -> Tensor:
    return _cross_entropy.of_classes(logits, targets, smoothing, focal)


def answer(logits: Tensor) -> Tensor:
    return logits.softmax(1)


def decide(answer: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """The likeliest class; of equally likely ones the first."""
    return np.asarray(answer.argmax(1), np.int64)


def figures(truth: np.ndarray, answer: np.ndarray, decision: np.ndarray) -> dict[str, float]:
    """Nothing beyond what is measured of all classes."""
    return {}
