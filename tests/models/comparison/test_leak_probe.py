"""The leak probe tells honest folds from those that components straddle, which are refused."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import PipelineError
from pipeline.models.comparison.folds import Fold, make_folds
from pipeline.models.comparison.leak_probe import (
    FALSE_ALARMS,
    check_apart,
    probe_leaks,
    shuffle_labels,
)
from pipeline.models.comparison.options import FoldOptions

RNG = np.random.default_rng


def world():
    """60 subjects of 5 samples each, which look alike; 4 classes that can be seen."""
    subject = np.repeat(np.arange(60), 5)
    targets = subject % 4
    look = RNG(0).normal(size=(60, 8))[subject] + np.eye(8)[targets] * 2
    return look + RNG(1).normal(size=(300, 8)) * 0.05, targets, subject


def straddled() -> dict[int, Fold]:
    fold = np.arange(300) % 3
    return {
        k: Fold(0, k, np.flatnonzero(fold == (k + 1) % 3), np.flatnonzero(fold == (k + 2) % 3),
                np.flatnonzero(fold == k))
        for k in range(3)
    }  # fmt: skip


def test_honest_folds_pass():
    inputs, targets, subject = world()
    dealt = {f.number: f for f in make_folds(targets, subject, FoldOptions(folds=3, seeds=1), 0)}
    check_apart(subject, dealt)
    result = probe_leaks(inputs, targets, subject, dealt, 200, RNG(2))
    assert result["macro_f1"] <= result["plausible"] < 0.5
    assert result["p"] > result["false_alarms"]


def test_samples_of_one_subject_on_both_sides_are_found():
    inputs, targets, subject = world()
    result = probe_leaks(inputs, targets, subject, straddled(), 200, RNG(2))
    assert result["macro_f1"] > result["plausible"]
    assert result["p"] == result["false_alarms"] == 1 / 201


def test_samples_of_one_subject_on_both_sides_are_refused():
    subject = np.array([f"s{i}" for i in world()[2]])
    with pytest.raises(PipelineError, match=r"60 component.* both sides of fold 0, such as s0"):
        check_apart(subject, straddled())


def test_an_innocent_run_that_chance_makes_look_guilty_goes_on():
    """Numbers that say nothing, and folds that nothing straddles; one seed of some hundred."""
    subject = np.repeat(np.arange(24), 2)
    inputs, targets = RNG(0).normal(size=(48, 4)), subject % 4
    options = FoldOptions(folds=3, seeds=1, inner=2)
    dealt = {f.number: f for f in make_folds(targets, subject, options, 0)}
    check_apart(subject, dealt)
    result = probe_leaks(inputs, targets, subject, dealt, 100, RNG(211))
    assert result["macro_f1"] > result["plausible"]
    assert result["p"] == result["false_alarms"] == 1 / 101
    assert result["false_alarms"] > FALSE_ALARMS


def test_shuffling_moves_labels_between_components_and_loses_none():
    _, targets, subject = world()
    targets[:2] = -1
    result = shuffle_labels(targets, subject, RNG(3))
    assert (result[:2] == -1).all()
    assert (result != targets).any()
    label = [set(result[(subject == s) & (result >= 0)]) for s in range(60)]
    assert all(len(one) == 1 for one in label)
    assert np.bincount([one.pop() for one in label]).tolist() == [15] * 4
