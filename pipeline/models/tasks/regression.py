"""A number: Huber's loss on the standardised target (Huber 1964, δ = 1 deviation)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.models.targets import is_known
from pipeline.models.task_options import TaskOptions
from pipeline.models.tasks import Figure

if TYPE_CHECKING:
    from torch import Tensor, nn

ONE_CLASS = False
NUMBER = True
SOFTMAX = False
SEQUENCE = False
Options = TaskOptions
FIGURES: Mapping[str, Figure] = {
    "r2": Figure("R²", share=False),
    "mae": Figure("MAE", share=False, less_is_better=True),
    "rmse": Figure("RMSE", share=False, less_is_better=True),
    "spearman": Figure("Spearman", share=False),
}
TRIVIAL = "mean"
FITTED: tuple[str, ...] = ("mean", "deviation")


def classes(values: Iterable[object], options: TaskOptions) -> list[str]:
    """A number has none."""
    if options.order:
        raise PipelineError("`order` is of classes, and a number has none")
    return []


def encode(values: Iterable[object], classes: Sequence[str]) -> np.ndarray:
    """What is infinite, or beyond what float32 holds, counts as missing."""
    wide = np.array([float(str(v)) if is_known(v) else np.nan for v in values], np.float64)
    wide[~(abs(wide) <= np.finfo(np.float32).max)] = np.nan
    return wide.astype(np.float32)


def layer(width: int, classes: int, options: TaskOptions) -> nn.Module:
    from torch import nn

    return nn.Linear(width, 1)


def loss(logits: Tensor, targets: Tensor, smoothing: float, focal: float) -> Tensor:
    """Half the squared error up to one deviation, and as steep as there beyond it."""
    from torch.nn.functional import huber_loss

    return huber_loss(logits[:, 0], targets.nan_to_num(), reduction="none")


def answer(logits: Tensor) -> Tensor:
    return logits


def decide(answer: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    return answer[:, 0]


def say(decision: float, classes: Sequence[str]) -> str:
    """With the seven digits that float32 has."""
    return f"{decision:.7g}"


def confidence(answer: np.ndarray, decision: np.ndarray) -> np.ndarray:
    return np.ones(len(decision), np.float32)


def correct(truth: np.ndarray, decision: np.ndarray) -> np.ndarray:
    return np.asarray(truth == decision)


certainty = confidence


def figures(truth: np.ndarray, answer: np.ndarray, decision: np.ndarray) -> dict[str, float]:
    """MAE and RMSE in the target's unit; R² and Spearman's correlation where they are defined."""
    from scipy.stats import spearmanr
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    truth, decision = truth.astype(np.float64), decision.astype(np.float64)
    scores = {
        "mae": float(mean_absolute_error(truth, decision)),
        "rmse": float(root_mean_squared_error(truth, decision)),
    }
    if np.ptp(truth) > 0:
        scores["r2"] = float(r2_score(truth, decision))
        if np.ptp(decision) > 0:
            scores["spearman"] = float(spearmanr(truth, decision).statistic)
    return scores
