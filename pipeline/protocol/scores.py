"""Macro-F1 of many models on the same samples, and on the same resamples of their components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.models.bootstrap import resample
from pipeline.models.metrics import from_confusion
from pipeline.randomness import generator

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Sampled:
    """A score: its value, and its value on each resample, float64 (resamples,)."""

    value: float
    drawn: np.ndarray


class Scorer:
    """Scores models on n samples of known truth.

    Parameters
    ----------
    truth:
        int (n,), class indices.
    component:
        (n,): what is resampled, its samples being dependent.
    """

    def __init__(
        self, truth: np.ndarray, component: np.ndarray, classes: int, resamples: int, seed: int
    ) -> None:
        import numpy as np

        self._truth, self._classes = truth, classes
        self._place = np.unique(component, return_inverse=True)[1]
        groups = int(self._place.max()) + 1
        self._counts = resample(generator(seed, "comparison"), groups, resamples)

    def score(self, predictions: Sequence[np.ndarray]) -> Sampled:
        """Mean macro-F1 of several sets of answers, int (n,) each: those of a model's seeds."""
        import numpy as np

        found = [self._one(prediction) for prediction in predictions]
        return Sampled(
            float(np.mean([value for value, _ in found])),
            np.mean([drawn for _, drawn in found], 0),
        )

    def _one(self, prediction: np.ndarray) -> tuple[float, np.ndarray]:
        import numpy as np

        groups, k = self._counts.shape[1], self._classes
        cells = np.zeros((groups, k, k))
        np.add.at(cells, (self._place, self._truth, prediction), 1)
        flat = cells.reshape(groups, -1)
        matrices = (self._counts @ flat).reshape(-1, k, k)
        whole = from_confusion(flat.sum(0).reshape(k, k))["macro_f1"]
        return float(whole), from_confusion(matrices)["macro_f1"]
