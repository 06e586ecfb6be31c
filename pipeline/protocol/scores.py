"""Macro-F1 of many models on the same samples, and on the same resamples of their components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.models.bootstrap import resample
from pipeline.models.metrics import from_tally
from pipeline.randomness import generator

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
        drawn = resample(generator(seed, "comparison"), groups, resamples)
        # The last resample is the sample itself.
        self._counts = np.concatenate([drawn, np.ones((1, groups))])
        self._support = self._tally(truth, slice(None))

    def score(self, predictions: Sequence[np.ndarray]) -> Sampled:
        """Mean macro-F1 of several sets of answers, int (n,) each: those of a model's seeds."""
        import numpy as np

        found = np.array([self._drawn(prediction) for prediction in predictions])
        values, drawn = found[:, -1], found[:, :-1]
        return Sampled(float(values.mean()), drawn.mean(0), tuple(values.tolist()))

    def _drawn(self, prediction: np.ndarray) -> np.ndarray:
        """Macro-F1 on each resample, (resamples + 1,)."""
        import numpy as np

        hits = self._tally(self._truth, prediction == self._truth)
        tallies = np.stack([hits, self._support, self._tally(prediction, slice(None))], 1)
        return from_tally(tallies)["macro_f1"]

    def _tally(self, of: np.ndarray, rows: np.ndarray | slice) -> np.ndarray:
        """How many of these rows are of each class, (resamples + 1, classes)."""
        import numpy as np

        cells = np.zeros((self._counts.shape[1], self._classes))
        np.add.at(cells, (self._place[rows], of[rows]), 1)
        found: np.ndarray = self._counts @ cells
        return found
