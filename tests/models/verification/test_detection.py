"""Figures of detection, against their definitions and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from pipeline.models.verification.detection import (
    Costs,
    cllr,
    eer,
    error_curve,
    least_cllr,
    least_cost,
    rates_at,
)

RNG = np.random.default_rng(0)
SAME = np.arange(600) % 3 == 0
# Rounded, so that some are equal.
SCORES = np.round(RNG.normal(size=600) + 2 * SAME, 1)
ONES = np.ones(600)


def test_the_curve_is_that_of_scikit_learn() -> None:
    curve = error_curve(SCORES, SAME, ONES)
    false, accepted, thresholds = roc_curve(SAME, SCORES, drop_intermediate=False)
    np.testing.assert_array_equal(curve.thresholds, thresholds)
    np.testing.assert_allclose(curve.false, false)
    np.testing.assert_allclose(curve.miss, 1 - accepted)


def test_a_weight_is_a_repetition() -> None:
    weights = RNG.integers(0, 4, (5, 600)).astype(float)
    ratios = SCORES - 1
    for row, figures in enumerate(
        zip(
            eer(error_curve(ratios, SAME, weights)),
            least_cost(error_curve(ratios, SAME, weights), Costs(0.1, 1, 2)),
            cllr(ratios, SAME, weights),
            *rates_at(0.0, ratios, SAME, weights),
            strict=True,
        )
    ):
        drawn = np.repeat(np.arange(600), weights[row].astype(int))
        scores, same, ones = ratios[drawn], SAME[drawn], np.ones(len(drawn))
        curve = error_curve(scores, same, ones)
        expected = (
            eer(curve),
            least_cost(curve, Costs(0.1, 1, 2)),
            cllr(scores, same, ones),
            *rates_at(0.0, scores, same, ones),
        )
        np.testing.assert_allclose(figures, expected)


@pytest.mark.parametrize(
    ("own", "others", "expected"),
    [
        ([3, 4], [1, 2], 0.0),
        ([1, 2], [3, 4], 1.0),
        ([1, 1], [1, 1], 0.5),
        ([1, 3, 5, 7], [0, 2, 4, 6], 0.5),
        ([2, 3, 4, 5], [1, 1, 1, 2.5], 0.25),
    ],
)
def test_the_equal_error_rate_of_few_scores(
    own: list[float], others: list[float], expected: float
) -> None:
    scores = np.array([*own, *others], float)
    same = np.arange(len(scores)) < len(own)
    assert eer(error_curve(scores, same, np.ones(len(scores)))) == pytest.approx(expected)


def test_normal_scores_have_the_equal_error_rate_of_the_formula() -> None:
    """Two normals of one width, two deviations apart, cross at Phi(-1)."""
    from scipy.stats import norm

    quantiles = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    scores, same = np.append(quantiles + 2, quantiles), np.arange(40_000) < 20_000
    assert eer(error_curve(scores, same, np.ones(40_000))) == pytest.approx(norm.cdf(-1), abs=1e-4)


def test_who_always_answers_the_same_costs_one() -> None:
    costs = Costs(0.05, 1, 1)
    assert costs.of(np.array(1.0), np.array(0.0)) == pytest.approx(1)
    assert least_cost(error_curve(np.zeros(600), SAME, ONES), costs) == pytest.approx(1)
    assert least_cost(error_curve(SAME.astype(float), SAME, ONES), costs) == 0


def test_cllr_says_what_ratios_are_worth() -> None:
    assert cllr(np.zeros(600), SAME, ONES) == pytest.approx(1)
    right = np.where(SAME, 50.0, -50.0)
    assert cllr(right, SAME, ONES) == pytest.approx(0, abs=1e-9)
    assert cllr(-right, SAME, ONES) > 50


def test_least_cllr_is_below_that_of_any_rising_calibration() -> None:
    least = least_cllr(SCORES, SAME)
    # Of two normals two deviations apart the true log-likelihood ratio is 2 s - 2.
    assert 0 < least < float(cllr(2 * SCORES - 2, SAME, ONES)) < 1
    assert least_cllr(7 * SCORES + 3, SAME) == pytest.approx(least)
    assert least_cllr(np.zeros(600), SAME) == pytest.approx(1)
    assert least_cllr(SAME.astype(float), SAME) == pytest.approx(0, abs=1e-9)
