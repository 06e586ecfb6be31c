"""One class of several: softmax and cross entropy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pipeline.models import entropy
from pipeline.models.targets import indices, occurring, ordered

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

MONITORED = "macro_f1"
FITTED = ("temperature",)


def classes(values: Iterable[object], order: Sequence[str]) -> list[str]:
    """As declared, else sorted as text."""
    found = occurring(values)
    return ordered(found, order) if order else sorted(found)


def encode(values: Iterable[object], classes: Sequence[str]) -> np.ndarray:
    return indices(values, classes)


def layer(width: int, classes: int) -> nn.Module:
    from torch import nn

    return nn.Linear(width, classes)


def loss(logits: Tensor, targets: Tensor, smoothing: float, focal: float) -> Tensor:
    return entropy.of_classes(logits, targets, smoothing, focal)


def answer(logits: Tensor) -> Tensor:
    return logits.softmax(1)


def decide(answer: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """The likeliest class; of equally likely ones the first."""
    import numpy as np

    return np.asarray(answer.argmax(1), np.int64)


def say(decision: int, classes: Sequence[str]) -> str:
    return classes[decision]


def figures(truth: np.ndarray, answer: np.ndarray, decision: np.ndarray) -> dict[str, float]:
    """Nothing beyond what is measured of all classes."""
    return {}
