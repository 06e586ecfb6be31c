"""References stand beside models, and none is ever taken for a model or for another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.models.comparison import comparison
from pipeline.models.comparison.baseline_candidates import baseline_candidates
from pipeline.models.comparison.candidate import CHOSEN, SEED_ENSEMBLE, Candidate
from pipeline.models.comparison.folds import make_folds
from pipeline.models.comparison.options import BaselineOptions, FoldOptions
from pipeline.models.examples import build_examples, classes_of
from pipeline.params.agreement.names import NAME
from tests.models.comparison.test_comparison import (
    ALL,
    CLASSES,
    COMPONENT,
    FOLD,
    IDS,
    OPTIONS,
    TRUTH,
)
from tests.models.synthetic import SETS, TASK_OPTIONS, joined

FORMERLY = ("majority", "random", "chosen", "chosen-together", "logistic-joined", "logistic-mean")


def of(features: dict[str, str]) -> list[Candidate]:
    """The references of a small world, with baselines of these names."""
    world = joined(subjects=24, absent=0.0)
    classes = classes_of(world, TASK_OPTIONS)
    whole = build_examples([world], SETS, classes, TASK_OPTIONS)
    targets = whole.targets["category"]
    dealt = make_folds(targets, whole.component, FoldOptions(folds=2, seeds=1, inner=2), 0)
    options = BaselineOptions(features=features)
    by_number = {fold.number: fold for fold in dealt}
    return baseline_candidates(whole, "category", len(classes["category"]), by_number, options, 0)


def test_no_model_can_have_the_name_of_a_reference() -> None:
    names = [one.name for one in of({"picture": "pixels", "words": "words"})]
    assert len(names) == 6
    assert not [name for name in (*names, CHOSEN, SEED_ENSEMBLE) if NAME.fullmatch(name)]


def test_a_baseline_of_one_set_is_not_taken_for_that_of_all() -> None:
    plain = {one.name: one for one in of({"picture": "pixels", "words": "words"})}
    odd = {one.name: one for one in of({"joined": "pixels", "mean": "words"})}
    assert len(odd) == len(plain)
    for name, like in {"logistic:joined": "logistic:picture", "logistic:mean": "logistic:words",
                       "joined:logistic": "joined:logistic",
                       "mean:logistic": "mean:logistic"}.items():  # fmt: skip
        np.testing.assert_array_equal(odd[name].probabilities[0], plain[like].probabilities[0])


@pytest.mark.parametrize("name", FORMERLY)
def test_a_model_that_is_called_like_one_keeps_its_own_score(name: str) -> None:
    """The first of the models that are compared is always right."""
    right = {shown: [TRUTH] * len(message) for shown, message in ALL[0].predictions.items()}
    models = [replace(ALL[0], name=name, predictions=right), *ALL[1:]]
    random_model = of({"picture": "pixels"})[-1].name
    models = [replace(one, name=random_model) if one.kind == "chance" else one for one in models]
    board = comparison.comparison_tables(models, FOLD, TRUTH, COMPONENT, IDS, CLASSES, OPTIONS, 7)
    rows = {row["model"]: row for row in board["leaderboard"]}
    assert len(rows) == len(board["leaderboard"]) == len(models) + 2
    assert rows[name]["macro_f1"] == 1.0
    assert rows[random_model]["macro_f1"] < 0.2
