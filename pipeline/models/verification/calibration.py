"""Scores → log-likelihood ratios; scores of several systems, fused.

Linear logistic regression, llr = weights · scores + offset, so fitted that it costs least at the
expected share of true claims (Brümmer et al., "Fusion of heterogeneous speaker recognition
systems", IEEE TASLP 2007). Of one system it is a calibration, of several a fusion at the level of
scores. Trials that lack a system's features are answered by what is fitted on the others' scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

# Of each kind of trial, the fewest that a calibration is fitted on.
FEWEST = 2


@dataclass(frozen=True)
class Calibration:
    """llr = scores @ weights + offset; weights: one a system."""

    weights: tuple[float, ...]
    offset: float

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Natural log-likelihood ratios, (t,), of scores, (t, systems)."""
        ratios: np.ndarray = scores @ np.array(self.weights) + self.offset
        return ratios


# Systems whose scores are there, by place → their calibration.
Calibrations = Mapping[tuple[int, ...], Calibration]


def fit_calibration(scores: np.ndarray, same: np.ndarray, prior: float) -> Calibration:
    """From raw scores, (t, systems), and whether trials are of one person, at a share of true
    claims."""
    from sklearn.linear_model import LogisticRegression

    centre, deviation = scores.mean(0), scores.std(0)
    deviation = np.where(deviation > 0, deviation, 1)
    weight = np.where(same, prior / same.sum(), (1 - prior) / (~same).sum()) * len(same)
    model = LogisticRegression(C=1.0, max_iter=1000)
    model.fit((scores - centre) / deviation, same, weight)
    weights = model.coef_[0] / deviation
    offset = float(model.intercept_[0] - centre @ weights - np.log(prior / (1 - prior)))
    return Calibration(tuple(weights.tolist()), offset)


def fit_calibrations(scores: np.ndarray, same: np.ndarray, prior: float) -> Calibrations:
    """One for each subset of the systems whose scores, (t, systems), are there often enough.

    What is not there is NaN.
    """
    calibrations = {}
    for subset in _subsets(scores.shape[1]):
        rows = ~np.isnan(scores[:, subset]).any(1)
        if min(same[rows].sum(), (~same[rows]).sum()) >= FEWEST:
            calibrations[subset] = fit_calibration(scores[rows][:, subset], same[rows], prior)
    return calibrations


def llr_of(calibrations: Calibrations, scores: np.ndarray) -> np.ndarray:
    """Log-likelihood ratios, (t,), of raw scores, (t, systems), by the systems that are there.

    NaN where none is, or nothing was fitted on those that are.
    """
    ratios = np.full(len(scores), np.nan)
    present = ~np.isnan(scores)
    for subset, calibration in calibrations.items():
        rows = (present == np.isin(np.arange(scores.shape[1]), subset)).all(1)
        ratios[rows] = calibration(scores[rows][:, subset])
    return ratios


def _subsets(systems: int) -> Iterator[tuple[int, ...]]:
    for size in range(1, systems + 1):
        yield from combinations(range(systems), size)
