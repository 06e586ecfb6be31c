"""Classes in an order: one score, and cut points between neighbouring classes.

logit P(y > r) = w·x + bᵣ, learned by a binary cross entropy for each r (CORAL, Cao et al. 2020,
arXiv:1901.07884). There b₀ ≥ b₁ ≥ … holds at the optimum; here it holds always, each being the one
before less a positive step, so that probabilities of classes are never negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.models import classified
from pipeline.models.targets import occurring_classes, order_classes
from pipeline.models.task_options import TaskOptions
from pipeline.models.tasks import Figure, _cross_entropy

if TYPE_CHECKING:
    from torch import Tensor, nn

ONE_CLASS = True
NUMBER = False
SOFTMAX = False
SEQUENCE = False
Options = TaskOptions
FIGURES: Mapping[str, Figure] = {
    "macro_f1": classified.FIGURES["macro_f1"],
    "rank_mae": Figure("mean error in ranks", share=False, less_is_better=True),
    "kappa": Figure("quadratic kappa"),
    **classified.FIGURES,
}
TRIVIAL = "majority"
FITTED: tuple[str, ...] = ("temperature",)
encode, say = classified.encode, classified.format_class
confidence = certainty = classified.confidence
correct = classified.correct


def classes(values: Iterable[object], options: TaskOptions) -> list[str]:
    """As declared; else numbers by value, and anything else as text."""
    return order_classes(occurring_classes(values), options.order)


def layer(width: int, classes: int, options: TaskOptions) -> nn.Module:
    """logits (n, classes - 1), of being above class 0, 1, …"""
    from pipeline.models.tasks._cumulative import Cumulative

    return Cumulative(width, classes)


def loss(logits: Tensor, targets: Tensor, smoothing: float, focal: float) -> Tensor:
    """The sum over cut points."""
    import torch

    cut = torch.arange(logits.shape[1], device=logits.device)
    bits = (targets[:, None] > cut).to(logits.dtype)
    return _cross_entropy.of_bits(logits, bits, smoothing, focal).sum(1)


def answer(logits: Tensor) -> Tensor:
    """P(y = r) = P(y > r - 1) - P(y > r)."""
    import torch

    above = logits.sigmoid()
    ones, zeros = torch.ones_like(above[:, :1]), torch.zeros_like(above[:, :1])
    return torch.cat([ones, above], 1) - torch.cat([above, zeros], 1)


def decide(answer: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """The median: the number of classes that the truth is likelier above than not."""
    above = 1 - np.cumsum(answer[:, :-1], 1, dtype=np.float64)
    return np.asarray((above > 0.5).sum(1), np.int64)


def figures(truth: np.ndarray, answer: np.ndarray, decision: np.ndarray) -> dict[str, float]:
    """Mean absolute error in ranks; quadratic weighted kappa (Cohen 1968), where ranks vary."""
    from sklearn.metrics import cohen_kappa_score, mean_absolute_error

    scores = {"rank_mae": float(mean_absolute_error(truth, decision))}
    if len(np.union1d(truth, decision)) > 1:
        # All ranks are named, since those that are given are the ones that distances are between.
        ranks = np.arange(answer.shape[1])
        kappa = cohen_kappa_score(truth, decision, labels=ranks, weights="quadratic")
        scores["kappa"] = float(kappa)
    return scores
