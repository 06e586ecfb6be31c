"""A column that tells the class is found, whatever it holds; one that does not is not."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from pipeline.models.comparison.folds import make_folds
from pipeline.models.comparison.options import FoldOptions
from pipeline.models.comparison.shortcuts import find_shortcuts

N = 400
TARGETS = np.arange(N) % 4
COMPONENT = np.arange(N) // 2 * 4 + TARGETS
DEALT = {
    fold.number: fold for fold in make_folds(TARGETS, COMPONENT, FoldOptions(folds=4, seeds=1), 3)
}
RNG = np.random.default_rng


def found(**columns: object) -> dict[str, float]:
    return find_shortcuts({k: np.asarray(v) for k, v in columns.items()}, TARGETS, DEALT)


def test_a_column_that_is_the_class_tells_all() -> None:
    batch = np.array(["monday", "tuesday", "wednesday", "thursday"])[TARGETS]
    scores = found(noise=RNG(0).integers(0, 4, N).astype(str), batch=batch)
    assert scores["batch"] == 1
    assert scores["noise"] < 0.4
    assert [*scores] == ["batch", "noise"]


def test_a_number_tells_by_its_size() -> None:
    length = 100.0 * TARGETS + RNG(1).normal(size=N)
    length[:40] = np.nan
    assert found(length=length)["length"] > 0.85


def test_which_modality_is_missing_tells_one_class() -> None:
    there = TARGETS != 2
    assert 0.3 < found(sound=there)["sound"] < 0.7


def test_what_never_comes_again_tells_nothing() -> None:
    assert found(name=COMPONENT.astype(str))["name"] < 0.3


def test_a_rare_class_counts_like_a_common_one() -> None:
    targets = np.where(np.arange(N) % 20 == 0, 1, 0)
    dealt = {
        f.number: f for f in make_folds(targets, np.arange(N), FoldOptions(folds=4, seeds=1), 3)
    }
    column = np.where((targets == 1) | (np.arange(N) % 10 == 3), "b", "a")
    (score,) = find_shortcuts({"column": column}, targets, dealt).values()
    message = np.where(
        column == "b", 1, 0
    )  # though of what is "b" two thirds are of the common one
    assert score == pytest.approx(f1_score(targets, message, average="macro"))


def test_one_value_is_left_out() -> None:
    assert found(source=["one"] * N) == {}
