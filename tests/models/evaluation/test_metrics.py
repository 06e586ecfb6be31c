from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from pipeline.models.metrics import (
    SCORES,
    bin_of,
    calibration,
    calibration_error,
    from_tally,
    per_class,
    scores,
    tally,
)

ANSWERS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40)


@given(ANSWERS)
def test_all_three_ways_agree_with_scikit_learn(pairs):
    truth, prediction = np.array(pairs).T
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about classes that are predicted and never true
        balanced = sk.balanced_accuracy_score(truth, prediction)
    labels = np.unique(truth)
    expected = {
        "accuracy": sk.accuracy_score(truth, prediction),
        "balanced_accuracy": balanced,
        "macro_f1": sk.f1_score(truth, prediction, labels=labels, average="macro", zero_division=0),
        "weighted_f1": sk.f1_score(truth, prediction, average="weighted", zero_division=0),
    }
    by_sklearn = scores(truth, prediction)
    assert tuple(by_sklearn) == SCORES
    assert {name: by_sklearn[name] for name in expected} == pytest.approx(expected)
    own = from_tally(tally(truth, prediction, 5))
    assert {name: float(value) for name, value in own.items()} == pytest.approx(by_sklearn)


def test_many_tallies_at_once():
    rng = np.random.default_rng(0)
    truth, prediction = rng.integers(0, 3, (2, 4, 50))
    stacked = np.stack([tally(t, p, 3) for t, p in zip(truth, prediction, strict=True)])
    together = from_tally(stacked)["macro_f1"]
    assert together.shape == (4,)
    for value, t, p in zip(together, truth, prediction, strict=True):
        assert value == pytest.approx(scores(t, p)["macro_f1"])


def test_per_class_has_all_classes_in_order():
    rows = per_class(np.array([0, 0, 1]), np.array([0, 1, 1]), ["a", "b", "c"])
    two_thirds = pytest.approx(2 / 3)
    assert rows == [
        ("a", 1.0, 0.5, two_thirds, 2),
        ("b", 0.5, 1.0, two_thirds, 1),
        ("c", 0.0, 0.0, 0.0, 0),
    ]


def test_calibration_error_by_hand():
    # Two bins of width 1/2. (0, .5]: .5 right, .3 wrong; (.5, 1]: .9 right, .7 wrong, .8 right.
    confidence = np.array([0.5, 0.3, 0.9, 0.7, 0.8], dtype=np.float32)
    correct = np.array([True, False, True, False, True])
    sums = calibration(confidence, correct, 2)
    np.testing.assert_allclose(sums, [[2, 0.8, 1], [3, 2.4, 2]], rtol=1e-6)
    by_hand = 2 / 5 * abs(0.4 - 1 / 2) + 3 / 5 * abs(0.8 - 2 / 3)
    assert float(calibration_error(sums)) == pytest.approx(by_hand)


def test_bins_hold_their_upper_edge():
    assert bin_of(np.array([0.0, 0.2, 0.21, 0.4, 1.0]), 5).tolist() == [0, 0, 1, 1, 4]
