"""Macro-F1 of many answers to the same samples, and on the same resamples of their components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.models.evaluation.bootstrap import resample, tallies, tally
from pipeline.models.evaluation.metrics import from_tally

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Sampled:
    """A score: its value, and its value on each resample, float64 (resamples,).

    Both are means over seeds, of which `seeds` has each.
    """

    value: float
    drawn: np.ndarray
    seeds: tuple[float, ...] = ()


class Scorer:
    """Scores answers to n samples of known truth.

    Parameters
    ----------
    truth:
        int (n,), class indices.
    component:
        (n,): what is resampled, its samples being dependent.
    """

    def __init__(
        self,
        truth: np.ndarray,
        component: np.ndarray,
        classes: int,
        resamples: int,
        rng: np.random.Generator,
    ) -> None:
        import numpy as np

        self._truth, self._classes = truth, classes
        self._place = np.unique(component, return_inverse=True)[1]
        groups = int(self._place.max()) + 1
        # The last resample is the sample itself.
        self._counts = np.concatenate([resample(rng, groups, resamples), np.ones((1, groups))])
        self._support = tally(self._counts, self._place, truth, classes)

    def score(self, predictions: Sequence[np.ndarray]) -> Sampled:
        """Mean macro-F1 of several sets of answers, int (n,) each: those of a model's seeds."""
        import numpy as np

        found = np.array([self._drawn(prediction) for prediction in predictions])
        values, drawn = found[:, -1], found[:, :-1]
        return Sampled(float(values.mean()), drawn.mean(0), tuple(values.tolist()))

    def _drawn(self, prediction: np.ndarray) -> np.ndarray:
        """Macro-F1 on each resample, (resamples + 1,)."""
        found = tallies(
            self._counts, self._place, self._truth, prediction, self._classes, self._support
        )
        return from_tally(found)["macro_f1"]
