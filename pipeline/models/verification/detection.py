"""How well scores tell same from other: error rates, EER, detection costs, Cllr; weighted.

All take weights of trials, (..., t), so that a resample of people is measured as the data are: an
array of resamples, (r, t), gives an array of figures, (r,). A trial is accepted where its score is
the threshold or more. A figure is NaN where the weights leave no trial of one kind.

References: detection cost as in NIST's 2016 Speaker Recognition Evaluation Plan, section 3.1; Cllr,
N. Brümmer & J. du Preez, "Application-independent evaluation of speaker detection", Computer Speech
& Language 20 (2006), with its least value by isotonic regression (pool adjacent violators).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Costs:
    """What is expected, and what errors cost."""

    prior: float
    miss: float
    false: float

    def of(self, miss: np.ndarray, false: np.ndarray) -> np.ndarray:
        """Expected cost of rates, as a multiple of what it costs to answer always the same."""
        refused, accepted = self.miss * self.prior, self.false * (1 - self.prior)
        cost: np.ndarray = (refused * miss + accepted * false) / min(refused, accepted)
        return cost


@dataclass(frozen=True)
class Curve:
    """Error rates at each threshold that tells scores apart, (..., c), from strictest to laxest.

    `thresholds`, (c,), begins with infinity, by which nobody is accepted.
    """

    thresholds: np.ndarray
    miss: np.ndarray
    false: np.ndarray


def error_curve(scores: np.ndarray, same: np.ndarray, weights: np.ndarray) -> Curve:
    """Of scores, (t,), and whether trials are of one person, bool (t,)."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    rates = []
    with np.errstate(invalid="ignore"):
        for kind in (same, ~same):
            passed = np.cumsum(weights[..., order] * kind[order], -1)[..., ends]
            rates.append(passed / passed[..., -1:])
    accepted, false = (_from_none(rate) for rate in rates)
    return Curve(np.append(np.inf, scores[order][ends]), 1 - accepted, false)


def eer(curve: Curve) -> np.ndarray:
    """The rate at which misses and false acceptances are as many, between thresholds by lines."""
    gap = curve.false - curve.miss
    after = np.argmax(gap >= 0, -1)[..., None]
    before = np.maximum(after - 1, 0)
    low, high = (np.take_along_axis(gap, at, -1) for at in (before, after))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(high > low, -low / (high - low), 0)
    start, end = (np.take_along_axis(curve.false, at, -1) for at in (before, after))
    rate: np.ndarray = (start + share * (end - start))[..., 0]
    return rate


def least_cost(curve: Curve, costs: Costs) -> np.ndarray:
    """minDCF: the normalised detection cost at the best threshold."""
    least: np.ndarray = costs.of(curve.miss, curve.false).min(-1)
    return least


def rates_at(
    threshold: float, scores: np.ndarray, same: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shares of missed own and of falsely accepted other trials at a threshold."""
    accepted = scores >= threshold
    return _share(weights, same, ~accepted), _share(weights, ~same, accepted)


def cllr(ratios: np.ndarray, same: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Cost of log-likelihood ratios in bits: 0 where they are sure and right, 1 where they say
    nothing, more where they mislead."""
    bits = np.logaddexp(0, np.where(same, -ratios, ratios)) / np.log(2)
    cost: np.ndarray = (_share(weights, same, bits) + _share(weights, ~same, bits)) / 2
    return cost


def least_cllr(scores: np.ndarray, same: np.ndarray) -> float:
    """Cllr after the best rising calibration, which has seen the answers: what order alone tells.

    scores: (t,), each trial weighing alike.
    """
    from sklearn.isotonic import isotonic_regression

    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    share = isotonic_regression(np.bincount(place, same) / count, sample_weight=count)
    share = share.clip(0, 1)[place]
    odds = same.sum() / (~same).sum()
    with np.errstate(divide="ignore"):
        ratios = np.log(share) - np.log1p(-share) - np.log(odds)
    return float(cllr(ratios, same, np.ones(len(same))))


def _share(weights: np.ndarray, kind: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Weighted mean of the values of one kind of trial."""
    with np.errstate(invalid="ignore"):
        share: np.ndarray = (weights @ (kind * values)) / (weights @ kind)
    return share


def _from_none(rates: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros((*rates.shape[:-1], 1)), rates], -1)
