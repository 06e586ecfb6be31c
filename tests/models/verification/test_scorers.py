"""Scorers against brute force, and calibration against the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from pipeline.models.verification.calibration import fit_calibration, fit_calibrations, llr_of
from pipeline.models.verification.people import people_of
from pipeline.models.verification.projection import Projection, fit_projection
from pipeline.models.verification.scorers import SCORERS, Plda
from tests.models.verification.known import joined, options

RNG = np.random.default_rng(1)


@pytest.mark.parametrize("count", [1, 3])
def test_plda_is_the_ratio_of_two_gaussians(count: int) -> None:
    """Enrolled samples and probe have one covariance if they share a person, else another."""
    psi = np.array([2.0, 0.5, 0.0])
    plda = Plda(Projection(np.zeros(3), np.eye(3)), np.zeros(3), np.eye(3), psi)
    enrolled, probe = RNG.normal(size=(count, 3)), RNG.normal(size=3)
    expected = 0.0
    for axis, spread in enumerate(psi):
        values = np.append(enrolled[:, axis], probe[axis])
        shared = np.eye(count + 1) + spread
        apart = shared.copy()
        apart[-1, :-1] = apart[:-1, -1] = 0
        expected += multivariate_normal.logpdf(values, cov=shared)
        expected -= multivariate_normal.logpdf(values, cov=apart)
    (score,) = plda.score(enrolled.mean(0)[None], np.array([count]), probe[None])
    assert score == pytest.approx(expected)


def test_plda_finds_the_axes_on_which_people_differ() -> None:
    """Of 400 people with 10 samples each, variances between and within come back."""
    between, within = np.array([4.0, 1.0, 0.0]), np.array([1.0, 0.5, 2.0])
    centres = np.sqrt(between) * RNG.normal(size=(400, 3))
    people = people_of(joined(people=400, clips=10), options(), 0)
    vectors = centres[people.person] + np.sqrt(within) * RNG.normal(size=(4000, 3))
    # Far from the origin the projection to length 1 turns no more than it moves.
    far = np.hstack([vectors / 1000, np.ones((4000, 1))])
    fitted = Plda.fit(far, people, 3, 0)
    assert sorted(fitted.psi)[0] < 0.3
    assert fitted.psi.max() > 1.5


@pytest.mark.parametrize("method", SCORERS)
def test_a_scorer_is_its_arrays_and_prefers_the_same_person(method: str) -> None:
    people = people_of(joined(), options(), 0)
    vectors = people.vectors["voice"]
    scorer = SCORERS[method].fit(vectors, people, 6, 0)
    again = SCORERS[method].of(scorer.arrays())
    embedded = scorer.embed(vectors)
    np.testing.assert_array_equal(again.embed(vectors), embedded)
    ones = np.ones(len(vectors), int)
    own = scorer.score(np.roll(embedded, 1, 0), ones, embedded)[1::8]
    others = scorer.score(np.roll(embedded, 8, 0), ones, embedded)
    assert own.mean() > others.mean() + others.std()
    np.testing.assert_array_equal(again.score(embedded, ones, embedded),
                                  scorer.score(embedded, ones, embedded))  # fmt: skip


def test_a_projection_leaves_out_what_never_varies() -> None:
    vectors = np.hstack([RNG.normal(size=(50, 4)), np.full((50, 1), 7.0)])
    projected = fit_projection(vectors, 10)(vectors)
    assert np.isfinite(projected).all()
    np.testing.assert_allclose(np.linalg.norm(projected, axis=1), 1)


def test_calibration_finds_the_true_ratio() -> None:
    """Scores N(1, 1) of own and N(-1, 1) of others: the ratio is 2 s, at any prior."""
    same = np.arange(20_000) % 4 == 0
    scores = (RNG.normal(size=20_000) + np.where(same, 1, -1))[:, None]
    for prior in (0.5, 0.05):
        fitted = fit_calibration(scores, same, prior)
        at = np.array([[-1.0], [0.0], [2.0]])
        truth = norm.logpdf(at[:, 0], 1) - norm.logpdf(at[:, 0], -1)
        np.testing.assert_allclose(fitted(at), truth, atol=0.15)


def test_what_lacks_a_score_is_answered_by_the_others() -> None:
    same = np.arange(400) % 2 == 0
    scores = RNG.normal(size=(400, 2)) + 2 * same[:, None]
    scores[:50, 0], scores[25:75, 1] = np.nan, np.nan
    calibrations = fit_calibrations(scores, same, 0.5)
    assert set(calibrations) == {(0,), (1,), (0, 1)}
    ratios = llr_of(calibrations, scores)
    assert np.isnan(ratios).tolist() == np.isnan(scores).all(1).tolist()
    np.testing.assert_allclose(ratios[50:75], calibrations[(0,)](scores[50:75, :1]))
    np.testing.assert_allclose(ratios[75:], calibrations[(0, 1)](scores[75:]))
    few = fit_calibrations(np.where(same, np.nan, 1.0)[:, None], same, 0.5)
    assert np.isnan(llr_of(few, np.ones((3, 1)))).all()
