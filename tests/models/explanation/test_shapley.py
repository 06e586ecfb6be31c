from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.evaluation.subsets import all_subsets
from pipeline.models.explanation.shapley import shapley


@given(m=st.integers(1, 4), seed=st.integers(0, 999))
def test_parts_add_up_to_the_whole(m, seed):
    values = np.random.default_rng(seed).normal(size=(2**m, 5))
    np.testing.assert_allclose(shapley(values).sum(0), values[-1] - values[0], atol=1e-12)


@given(m=st.integers(1, 4), seed=st.integers(0, 999))
def test_a_part_is_the_mean_gain_over_all_orders(m, seed):
    values = np.random.default_rng(seed).normal(size=2**m)
    gains = np.zeros(m)
    orders = list(permutations(range(m)))
    for order in orders:
        place = 0
        for i in order:
            gains[i] += values[place | 1 << i] - values[place]
            place |= 1 << i
    np.testing.assert_allclose(shapley(values), gains / len(orders), atol=1e-12)


def test_twins_get_the_same_and_an_idle_one_nothing():
    names = all_subsets("abc")
    values = np.array([float("a" in s) + float("b" in s) + 2.0 * ("a" in s and "b" in s)
                       for s in names])  # fmt: skip
    assert shapley(values) == pytest.approx([2.0, 2.0, 0.0])
