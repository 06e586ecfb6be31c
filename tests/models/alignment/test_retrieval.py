from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from pipeline.models.alignment import retrieval
from pipeline.models.alignment.retrieval import CUTS, Answered, Retrieval, rank_answers
from tests.models.alignment.world import examples

RNG = np.random.default_rng(0)
COMPONENT = np.sort(RNG.integers(0, 8, 40))
VECTORS = RNG.normal(size=(2, 40, 3)).astype(np.float32)
ROWS = np.arange(40)
# A question's right answers: itself and, for the even ones, its neighbour if it is kin.
EVEN = ROWS[::2][COMPONENT[::2] == COMPONENT[1::2]]
PAIRS = np.concatenate([ROWS, EVEN]), np.concatenate([ROWS, EVEN + 1])


def test_the_rank_is_that_of_the_nearest_right_answer_among_those_of_other_components():
    answered = rank_answers(*VECTORS, *PAIRS, ROWS, COMPONENT)
    assert answered.asked.tolist() == ROWS.tolist()
    for row in ROWS:
        right = {row, row + 1} if row in EVEN else {row}
        order = sorted(ROWS, key=lambda a: -float(VECTORS[0, row] @ VECTORS[1, a]))
        counted = [a for a in order if a in right or COMPONENT[a] != COMPONENT[row]]
        wrong = [a for a in counted if a not in right]
        first = min(counted.index(a) for a in right)
        assert answered.rank[row] == 1 + sum(counted.index(a) < first for a in wrong)
        assert answered.nearest[row] == counted[0]
        assert (answered.right[row], answered.wrong[row]) == (len(right), len(wrong))


def test_blocks_change_nothing(monkeypatch):
    whole = rank_answers(*VECTORS, *PAIRS, ROWS, COMPONENT)
    monkeypatch.setattr(retrieval, "LARGEST", 120)
    pieces = rank_answers(*VECTORS, *PAIRS, ROWS, COMPONENT)
    for name, values in vars(whole).items():
        assert values.tolist() == vars(pieces)[name].tolist()


def test_a_wrong_answer_as_near_as_the_right_one_goes_before_it():
    same = np.ones((3, 2), np.float32)
    rows = np.arange(3)
    assert rank_answers(same, same, rows, rows, rows, rows).rank.tolist() == [3, 3, 3]
    kin = np.array([0, 0, 1])
    assert rank_answers(same, same, rows, rows, rows, kin).rank.tolist() == [2, 2, 3]


def test_figures_and_chance_are_those_of_every_order():
    truth = [True, False, False, True, False]
    ranks = np.array([order.index(True) + 1 for order in permutations(truth)])
    one = np.ones(1, np.int64)
    answered = Answered(one, one, one, 2 * one, 3 * one)
    for cut in CUTS:
        assert answered.chance[f"recall_{cut}"] == pytest.approx((ranks <= cut).mean())
    rank = np.array([1, 2, 6, 30])
    many = Answered(rank, rank, rank, one, one)
    assert many.figures() == {
        "recall_1": 0.25,
        "recall_5": 0.5,
        "recall_10": 0.75,
        "median_rank": 4.0,
    }
    assert many.figures(np.array([], np.int64)) == {}


def test_what_samples_of_a_component_share_is_asked_once():
    data = examples(components=5, each=3)
    shared = {**data.values, "pixels": np.repeat(data.values["pixels"][:, ::3], 3, axis=1)}
    vectors = np.random.default_rng(0).normal(size=(15, 3, 4)).astype(np.float32)
    measured = dict(Retrieval(replace(data, values=shared))(vectors, data.present[:, [1, 0, 2]]))
    assert len(measured) == 6
    assert len(measured["image", "text"].asked) == 5
    assert (measured["text", "image"].wrong == 4).all()
    assert (measured["image", "text"].right == 3).all()
    assert len(measured["text", "image"].asked) == 15
