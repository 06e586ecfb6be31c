"""How a task's logits become an answer, as fitted once the network is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.core import registry
from pipeline.models.targets import has_target
from pipeline.models.tasks import FOLDER, Task, Thresholded, task_of

if TYPE_CHECKING:
    from torch import Tensor

# A network that is always right, or no better than chance, on a small split has no best
# temperature; it is looked for between these.
COLDEST, HOTTEST = 0.1, 10.0


@dataclass(frozen=True)
class Decoding:
    """What turns logits into an answer.

    `temperature` divides the logits of classes and labels (Guo et al. 2017, arXiv:1706.04599);
    `thresholds` say from which probability on the positive class, or each label, is answered;
    `mean` and `deviation` are the train split's, of a number, which is learned standardised;
    `classes` are the task's, by name.
    """

    kind: str = "multiclass"
    temperature: float = 1.0
    thresholds: tuple[float, ...] = (0.5,)
    mean: float = 0.0
    deviation: float = 1.0
    classes: tuple[str, ...] = ()

    @property
    def task(self) -> Task:
        return task_of(self.kind)

    def probabilities(self, logits: Tensor) -> np.ndarray:
        """Probabilities float32 (n, classes), or values (n, 1) in the target's unit."""
        decoded: np.ndarray = self.answer(logits).cpu().numpy()
        return decoded

    def answer(self, logits: Tensor) -> Tensor:
        """The same as a tensor, where the logits are."""
        return self.task.answer(logits / self.temperature * self.deviation + self.mean)

    def predict(self, answer: np.ndarray) -> np.ndarray:
        """Indices (n,), labels 0 or 1 (n, labels), or values (n,)."""
        return self.task.decide(answer, self.thresholds)

    def measurable(self, decisions: np.ndarray) -> np.ndarray:
        """Decisions, or truths, as figures take them: of sequences their text, object (n,)."""
        if not self.task.SEQUENCE:
            return decisions
        return np.array([self.format(each, self.classes) for each in decisions], object)

    def format(self, decision: Any, classes: Sequence[str]) -> str:
        """A decision, or a truth, as text."""
        return self.task.say(decision, classes)

    def card(self) -> dict[str, Any]:
        """What is kept of it: only what its kind has."""
        fields = asdict(self)
        return {name: fields[name] for name in ("kind", *self.task.FITTED)}

    @classmethod
    def from_card(cls, card: dict[str, Any]) -> Decoding:
        fields = {name: card[name] for name in cls.__dataclass_fields__ if name in card}
        for name in ("thresholds", "classes"):
            if name in fields:
                fields[name] = tuple(fields[name])
        return cls(**fields)


def fit_decoding(
    decoding: Decoding, logits: Tensor, targets: np.ndarray, weights: np.ndarray
) -> Decoding:
    """The temperature, then the thresholds, that suit a split that was not learned from.

    weights: how much an example counts for the temperature, float32 (n,) or (n, labels). Where the
    split lacks the target, the reading is left as it is.
    """
    import torch

    labelled = has_target(targets)
    if "temperature" not in decoding.task.FITTED or not labelled.any():
        return decoding
    known_logits, truth = logits[torch.from_numpy(labelled).to(logits.device)], targets[labelled]
    fitted = replace(
        decoding, temperature=_temperature(decoding, known_logits, truth, weights[labelled])
    )
    if "thresholds" in decoding.task.FITTED:
        task = registry.load(FOLDER, decoding.kind, Thresholded)
        thresholds = task.fit_thresholds(fitted.probabilities(known_logits), truth)
        fitted = replace(fitted, thresholds=tuple(thresholds))
    return fitted


def negative_log_likelihood(answer: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> float:
    """The weighted mean over examples, and labels, of -log of the probability of the truth."""
    if truth.dtype.kind == "i":
        likely = np.take_along_axis(answer, truth[:, None], 1)
    else:
        likely = np.where(truth > 0, answer, 1 - answer)
    cost = -np.log(likely.astype(np.float64).clip(1e-12))
    example_weights = np.broadcast_to(weights.reshape(len(weights), -1), cost.shape)
    return float(np.average(cost, weights=example_weights))


def _temperature(
    decoding: Decoding, logits: Tensor, truth: np.ndarray, weights: np.ndarray
) -> float:
    """Of the greatest likelihood; 1 if no other is better."""
    import math

    from scipy.optimize import minimize_scalar

    wide = logits.double()

    def cost(log: float) -> float:
        answer = replace(decoding, temperature=math.exp(log)).probabilities(wide)
        return negative_log_likelihood(answer, truth, weights)

    bounds = (math.log(COLDEST), math.log(HOTTEST))
    optimum = minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return math.exp(optimum.x) if optimum.fun < cost(0.0) else 1.0
