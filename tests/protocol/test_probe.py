"""The leak probe passes honest folds and fails those that components straddle."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import PipelineError
from pipeline.protocol.folds import Fold, folds
from pipeline.protocol.options import FoldOptions
from pipeline.protocol.probe import probe, shuffled

RNG = np.random.default_rng


def world():
    """60 subjects of 5 samples each, which look alike; 4 classes that can be seen."""
    subject = np.repeat(np.arange(60), 5)
    targets = subject % 4
    look = RNG(0).normal(size=(60, 8))[subject] + np.eye(8)[targets] * 2
    return look + RNG(1).normal(size=(300, 8)) * 0.05, targets, subject


def test_honest_folds_pass():
    inputs, targets, subject = world()
    dealt = {f.number: f for f in folds(targets, subject, FoldOptions(folds=3, seeds=1), 0)}
    found = probe(inputs, targets, subject, dealt, 200, RNG(2))
    assert found["macro_f1"] <= found["plausible"] < 0.5


def test_samples_of_one_subject_on_both_sides_fail():
    inputs, targets, subject = world()
    fold = np.arange(300) % 3
    dealt = {
        k: Fold(0, k, np.flatnonzero(fold == (k + 1) % 3), np.flatnonzero(fold == (k + 2) % 3),
                np.flatnonzero(fold == k))
        for k in range(3)
    }  # fmt: skip
    with pytest.raises(PipelineError, match=r"the folds leak.*both sides of a fold"):
        probe(inputs, targets, subject, dealt, 200, RNG(2))


def test_shuffling_moves_labels_between_components_and_loses_none():
    _, targets, subject = world()
    targets[:2] = -1
    found = shuffled(targets, subject, RNG(3))
    assert (found[:2] == -1).all()
    assert (found != targets).any()
    label = [set(found[(subject == s) & (found >= 0)]) for s in range(60)]
    assert all(len(one) == 1 for one in label)
    assert np.bincount([one.pop() for one in label]).tolist() == [15] * 4
