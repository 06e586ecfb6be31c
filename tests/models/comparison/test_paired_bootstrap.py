"""Paired differences: against SciPy and by hand; Holm against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from pipeline.models.comparison.paired_bootstrap import holm, paired_differences
from pipeline.models.evaluation.bootstrap import resample
from pipeline.models.evaluation.scorer import Scorer


def world(seed: int = 0, n: int = 300):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, n)
    component = np.repeat(np.arange(n // 3), 3)
    good = np.where(rng.random(n) < 0.8, truth, rng.integers(0, 4, n))
    bad = np.where(rng.random(n) < 0.5, truth, rng.integers(0, 4, n))
    return truth, component, good, bad


def test_a_score_is_scikit_learns_and_its_resamples_are_those_of_whole_components():
    truth, component, good, bad = world()
    scorer = Scorer(truth, component, 4, 200, np.random.default_rng(0))
    score = scorer.score([good, bad])
    singles = [f1_score(truth, answer, average="macro") for answer in (good, bad)]
    assert score.value == pytest.approx(np.mean(singles))
    assert score.drawn.shape == (200,)
    groups = len(np.unique(component))
    counts = resample(np.random.default_rng(0), groups, 200)[7].astype(int)
    rows = np.concatenate(
        [np.flatnonzero(component == c) for c in np.repeat(np.arange(100), counts)]
    )
    again = [f1_score(truth[rows], answer[rows], average="macro") for answer in (good, bad)]
    assert score.drawn[7] == pytest.approx(np.mean(again))


def test_a_better_model_is_found_and_an_equal_one_is_not():
    truth, component, good, bad = world()
    scorer = Scorer(truth, component, 4, 500, np.random.default_rng(0))
    scores = {"good": scorer.score([good]), "bad": scorer.score([bad])}
    scores["same"] = scores["good"]
    better, equal = paired_differences(scores, [("good", "bad"), ("good", "same")], 0.95)
    assert better.low > 0
    assert better.corrected < 0.02
    assert (equal.value, equal.low, equal.high, equal.p) == (0, 0, 0, 1)


def test_of_models_that_do_not_differ_few_are_called_different():
    """The share of false alarms is about the level, here 1 in 10."""
    alarms = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 3, 240)
        answers = [np.where(rng.random(240) < 0.6, truth, rng.integers(0, 3, 240)) for _ in "ab"]
        scorer = Scorer(truth, np.arange(240), 3, 200, np.random.default_rng(seed))
        scores = dict(zip("ab", (scorer.score([one]) for one in answers), strict=True))
        alarms += paired_differences(scores, [("a", "b")], 0.9)[0].p < 0.1
    assert alarms <= 14


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_its_definition(values):
    result = holm(values)
    m = len(values)
    ordered = sorted(values)
    for value, corrected in zip(values, result, strict=True):
        rank = ordered.index(value)
        ties = [i for i, other in enumerate(ordered) if other == value]
        wanted = {max(min(1.0, (m - i) * ordered[i]) for i in range(k + 1)) for k in ties}
        assert any(corrected == pytest.approx(w) for w in wanted), (rank, wanted)
        assert corrected >= value
