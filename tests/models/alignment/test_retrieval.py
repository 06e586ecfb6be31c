from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from pipeline.models.alignment import retrieval
from pipeline.models.alignment.retrieval import CUTS, Answered, Retrieval, rank_answers
from tests.models.alignment.world import examples

RNG = np.random.default_rng(0)
COMPONENT = RNG.integers(0, 8, 40)
VECTORS = RNG.normal(size=(2, 40, 3)).astype(np.float32)


def test_the_rank_is_that_of_the_nearest_right_answer_among_the_wrong():
    asked, answering = np.arange(0, 40, 2), np.arange(1, 40, 3)
    answered = rank_answers(*VECTORS, asked, answering, COMPONENT)
    for row, rank, nearest, right in zip(
        answered.asked, answered.rank, answered.nearest, answered.right, strict=True
    ):
        order = sorted(answering, key=lambda a: -float(VECTORS[0, row] @ VECTORS[1, a]))
        kin = [COMPONENT[a] == COMPONENT[row] for a in order]
        assert rank == 1 + kin.index(True)
        assert (nearest, right) == (order[0], sum(kin))
    answerable = np.isin(COMPONENT[asked], COMPONENT[answering])
    assert answered.asked.tolist() == asked[answerable].tolist()


def test_blocks_change_nothing(monkeypatch):
    rows = np.arange(40)
    whole = rank_answers(*VECTORS, rows, rows, COMPONENT)
    monkeypatch.setattr(retrieval, "LARGEST", 120)
    pieces = rank_answers(*VECTORS, rows, rows, COMPONENT)
    assert whole.rank.tolist() == pieces.rank.tolist()
    assert whole.nearest.tolist() == pieces.nearest.tolist()


def test_a_wrong_answer_as_near_as_the_right_one_goes_before_it():
    same = np.ones((3, 2), np.float32)
    rows = np.arange(3)
    assert rank_answers(same, same, rows, rows, rows).rank.tolist() == [3, 3, 3]


def test_figures_and_chance_are_those_of_every_order():
    truth = [True, False, False, True, False]
    ranks = np.array([order.index(True) + 1 for order in permutations(truth)])
    one = np.ones(1, np.int64)
    answered = Answered(one, one, one, np.array([2]), 5)
    for cut in CUTS:
        assert answered.chance[f"recall_{cut}"] == pytest.approx((ranks <= cut).mean())
    rank = np.array([1, 2, 6, 30])
    many = Answered(rank, rank, rank, rank, 40)
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
    assert measured["text", "image"].answers == 5
    assert len(measured["text", "image"].asked) == 15
