"""Folds: whole components, every sample judged once a seed, nothing both learnt from and judged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import PipelineError
from pipeline.models.comparison.folds import Fold, make_folds, missing_classes
from pipeline.models.comparison.options import FoldOptions


def world(components: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 5, components)
    label = np.arange(components) % classes
    targets = np.repeat(label, size)
    targets[rng.random(len(targets)) < 0.1] = -1
    return targets, np.repeat([f"c{i}" for i in range(components)], size)


@settings(max_examples=25)
@given(
    components=st.integers(30, 60), classes=st.integers(2, 5), seed=st.integers(0, 99),
    count=st.integers(2, 5), inner=st.integers(2, 4),
)  # fmt: skip
def test_components_stay_whole_and_every_known_sample_is_judged_once_a_seed(
    components, classes, seed, count, inner
):
    targets, component = world(components, classes, seed)
    options = FoldOptions(folds=count, seeds=2, inner=inner)
    dealt = list(make_folds(targets, component, options, seed))
    assert [(f.seed, f.number) for f in dealt] == [(s, k) for s in range(2) for k in range(count)]
    for number in range(2):
        judged = np.concatenate([f.outer for f in dealt if f.seed == number])
        assert sorted(judged) == np.flatnonzero(targets >= 0).tolist()
    for fold in dealt:
        shares = [set(component[rows]) for rows in (fold.training, fold.inner, fold.outer)]
        assert all(shares)
        assert sum(map(len, shares)) == len(set.union(*shares))


def test_seeds_share_their_outer_folds_and_differ_in_the_inner_ones():
    targets, component = world(40, 3, 0)
    first, second = (
        [f for f in make_folds(targets, component, FoldOptions(seeds=2), 0) if f.seed == seed]
        for seed in (0, 1)
    )
    assert all((a.outer == b.outer).all() for a, b in zip(first, second, strict=True))
    assert any(set(a.inner) != set(b.inner) for a, b in zip(first, second, strict=True))


def test_every_class_is_spread_over_the_folds():
    targets, component = world(60, 3, 1)
    for fold in make_folds(targets, component, FoldOptions(folds=5, seeds=1), 0):
        assert set(targets[fold.outer]) == set(targets[fold.inner]) == {0, 1, 2}


def test_too_few_components_are_named():
    with pytest.raises(PipelineError, match="3 components cannot be dealt out to 5 folds"):
        list(make_folds(np.array([0, 1, 0]), np.array(["a", "b", "c"]), FoldOptions(), 0))


def test_a_class_that_a_fold_lacks_is_told() -> None:
    targets = np.array([0, 0, 1, 1, 2, -1])
    dealt = {
        0: Fold(0, 0, np.array([0]), np.array([2]), np.array([1, 3, 4])),
        1: Fold(0, 1, np.array([1, 3]), np.array([4]), np.array([0, 2])),
    }
    assert missing_classes(targets, dealt, ["a", "b", "c"]) == [
        {"fold": 0, "class": "c", "lacking": "learnt"},
        {"fold": 1, "class": "c", "lacking": "judged"},
    ]
