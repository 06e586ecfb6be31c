"""The baseline is scikit-learn's, out of fold; chance knows the classes' shares and no more."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from pipeline.models.comparison.baselines import JOINED, MAJORITY, MEAN, RANDOM, chance, logistic
from pipeline.models.comparison.folds import make_folds
from pipeline.models.comparison.options import FoldOptions


def world():
    rng = np.random.default_rng(0)
    targets = np.arange(120) % 3
    first = np.eye(3)[targets] + rng.normal(size=(120, 3))
    second = np.eye(3)[targets] + rng.normal(size=(120, 3))
    dealt = {
        f.number: f for f in make_folds(targets, np.arange(120), FoldOptions(folds=3, seeds=1), 0)
    }
    return {"first": first, "second": second}, targets, dealt


def test_it_is_a_notebooks_logistic_regression_judged_out_of_fold():
    values, targets, dealt = world()
    result = logistic(values, targets, dealt, 3, C=0.01)
    assert list(result) == ["first", "second", JOINED, MEAN]
    fold = dealt[1]
    learnt = np.concatenate([fold.training, fold.inner])
    matrix = np.concatenate([values["first"], values["second"]], 1)
    scale = StandardScaler().fit(matrix[learnt])
    again = LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000).fit(
        scale.transform(matrix[learnt]), targets[learnt]
    )
    asked = again.predict_proba(scale.transform(matrix[fold.outer]))
    np.testing.assert_allclose(result[JOINED][fold.outer], asked, atol=1e-6)
    np.testing.assert_allclose(result[MEAN], (result["first"] + result["second"]) / 2, atol=1e-6)
    accuracy = {name: (p.argmax(1) == targets).mean() for name, p in result.items()}
    assert accuracy[MEAN] > max(accuracy["first"], accuracy["second"]) > 0.4


def test_a_class_that_a_fold_lacks_has_no_probability_there():
    values, targets, dealt = world()
    fold = dealt[0]
    learnt = np.concatenate([fold.training, fold.inner])
    changed = targets.copy()
    changed[learnt] = targets[learnt] % 2
    result = logistic(values, changed, {0: fold}, 3, C=0.01)
    assert (result[JOINED][fold.outer][:, 2] == 0).all()


def test_chance_says_the_commonest_or_draws_by_the_shares():
    _, targets, dealt = world()
    skewed = np.where(targets == 2, 0, targets)
    result = chance(skewed, dealt, 3, np.random.default_rng(1))
    assert (result[MAJORITY] == 0).all()
    assert 0.5 < (result[RANDOM] == 0).mean() < 0.85
