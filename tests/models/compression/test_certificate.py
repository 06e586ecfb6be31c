"""When a compressed model is certified, and which answers changed."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.models.compression.certificate import changed_answers, task_difference
from pipeline.models.decoding import Decoding
from pipeline.models.evaluation.options import EvaluationOptions
from pipeline.models.examples import Examples

OPTIONS = EvaluationOptions(resamples=100)
K = 4


class Network:
    """As much of a network as says how its answers are read."""

    def __init__(self, kind: str = "multiclass") -> None:
        self.tasks, self.decodings = ["t"], {"t": Decoding(kind, thresholds=(0.5,) * K)}


def examples(truth: np.ndarray, components: int) -> Examples:
    n = len(truth)
    names = np.arange(n).astype(str)
    component = (np.arange(n) % components).astype(str)
    return Examples((), {}, {}, np.ones((n, 0), bool), {"t": truth}, component, names)


def sure_of(classes: np.ndarray) -> np.ndarray:
    return (np.eye(K)[classes] * 0.6 + 0.1).astype(np.float32)


def worsened(classes: np.ndarray, share: float) -> np.ndarray:
    rows = np.random.default_rng(1).random(len(classes)) < share
    return sure_of(np.where(rows, (classes + 1) % K, classes))


TRUTH = np.random.default_rng(0).integers(0, K, 400)


def difference(
    before: np.ndarray, after: np.ndarray, truth=TRUTH, components=80, kind="multiclass"
):
    pair = (Network(kind), Network(kind))
    return task_difference(examples(truth, components), "t", (before, after), pair, OPTIONS, 7)


def test_the_same_answers_are_no_worse_by_any_margin():
    answers = worsened(TRUTH, 0.2)
    same = difference(answers, answers)
    assert (same.difference, same.low, same.high) == (0, 0, 0)
    assert (same.figure, same.samples, same.components) == ("macro_f1", 400, 80)
    assert same.holds(1e-9)


@pytest.mark.parametrize(("share", "held"), [(0.002, True), (0.05, False)])
def test_a_model_that_is_worse_is_certified_within_the_margin_alone(share, held):
    judged = difference(sure_of(TRUTH), worsened(TRUTH, share))
    assert judged.low <= judged.difference <= judged.high
    assert judged.difference <= 0
    assert judged.holds(1.0) is held
    assert judged.holds(50.0)


def test_what_looks_equal_is_not_certified_where_components_are_few():
    """Each model is right where the other is wrong: the means agree, and prove nothing."""
    half = np.arange(400) % 20 < 10
    before = sure_of(np.where(half, TRUTH, (TRUTH + 1) % K))
    after = sure_of(np.where(half, (TRUTH + 1) % K, TRUTH))
    judged = difference(before, after, components=20)
    assert abs(judged.difference) < 0.05
    assert not judged.holds(5.0)
    assert difference(before, before, components=2).low is None
    assert not difference(before, before, components=2).holds(5.0)


def test_numbers_and_labels_have_certificates_of_their_own_figures():
    rng = np.random.default_rng(2)
    values = rng.normal(size=80).astype(np.float32)
    near, far = (values[:, None] + rng.normal(size=(80, 1)) * s for s in (0.1, 0.8))
    judged = difference(near, far, values, kind="regression")
    assert judged.figure == "r2"
    assert judged.low <= judged.difference <= judged.high < -0.2
    labels = (rng.random((80, K)) < 0.5).astype(np.float32)
    right, wrong = labels * 0.8 + 0.1, 0.9 - labels * 0.8
    judged = difference(right, np.where(rng.random((80, 1)) < 0.3, wrong, right), labels,
                        kind="multilabel")  # fmt: skip
    assert judged.figure == "macro_f1"
    assert judged.high < -0.1


def test_changed_answers_are_listed_with_what_both_said():
    truth = np.array([0, 1, -1, 3])
    before, after = sure_of(np.array([0, 1, 2, 2])), sure_of(np.array([0, 2, 3, 3]))
    pair = (Network(), Network())
    names = ["a", "b", "c", "d"]
    changed = list(changed_answers(examples(truth, 4), "t", names, (before, after), pair))
    assert [(row["sample_id"], row["truth"], row["before"], row["after"]) for row in changed] == [
        ("1", "b", "b", "c"),
        ("2", "", "c", "d"),
        ("3", "d", "c", "d"),
    ]
    assert [row["before_sure"] for row in changed] == pytest.approx([0.7] * 3)
    numbers = (Network("regression"), Network("regression"))
    values = truth.astype(np.float32)
    assert not [*changed_answers(examples(values, 4), "t", [], (before, after), numbers)]
