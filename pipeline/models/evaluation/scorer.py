"""Macro-F1 of many answers to the same samples, and on the same resamples of their components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.records import MIN_COMPONENTS
from pipeline.models.evaluation.bootstrap import Resamples, resampled_counts, resampled_tallies
from pipeline.models.metrics import class_scores, from_tally


@dataclass(frozen=True)
class BootstrapScore:
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
        self._truth, self._classes = truth, classes
        self._place = np.unique(component, return_inverse=True)[1]
        self._resamples = Resamples(rng, int(self._place.max()) + 1, resamples)

    @property
    def has_intervals(self) -> bool:
        """Whether there are components enough to resample."""
        return self._resamples.components >= MIN_COMPONENTS

    def value(self, prediction: np.ndarray) -> float:
        """Macro-F1 of answers, int (n,)."""
        return class_scores(self._truth, prediction, self._classes)["macro_f1"]

    def score(self, predictions: Sequence[np.ndarray]) -> BootstrapScore:
        """Mean macro-F1 of several sets of answers, int (n,) each: those of a model's seeds."""
        (scored,) = self.scores([predictions])
        return scored

    def scores(self, models: Sequence[Sequence[np.ndarray]]) -> list[BootstrapScore]:
        """The same of each of several models, in one pass over the resamples."""
        drawn = [
            np.empty((len(seed_predictions), self._resamples.resamples))
            for seed_predictions in models
        ]
        done = 0
        for counts in self._resamples:
            support = resampled_counts(counts, self._place, self._truth, self._classes)
            rows = slice(done, done + len(counts))
            done = rows.stop
            for model, predictions in zip(drawn, models, strict=True):
                for seed, prediction in zip(model, predictions, strict=True):
                    counts_by_class = resampled_tallies(
                        counts, self._place, self._truth, prediction, self._classes, support
                    )
                    seed[rows] = from_tally(counts_by_class)["macro_f1"]
        values = [
            tuple(self.value(prediction) for prediction in seed_predictions)
            for seed_predictions in models
        ]
        return [
            BootstrapScore(float(np.mean(seeds)), model.mean(0), seeds)
            for seeds, model in zip(values, drawn, strict=True)
        ]
