"""What every model must beat: chance, and logistic regression on frozen features."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.models.comparison.folds import Fold

# See `candidate`: no set and no model can have such a name.
JOINED, MEAN = "joined:logistic", "mean:logistic"
MAJORITY, RANDOM = "chance:majority", "chance:random"


def logistic(
    values: Mapping[str, np.ndarray],
    targets: np.ndarray,
    folds: Mapping[int, Fold],
    classes: int,
    C: float,
) -> dict[str, np.ndarray]:
    """Name → probabilities (n, classes) of the rows of outer folds, NaN elsewhere.

    A balanced logistic regression (scikit-learn) on each standardised feature set, one on all of
    them joined (JOINED) and the mean of the single ones' probabilities (MEAN). It needs no rows
    to score by, so that it learns once, from all that are not judged, as the models do in the end.

    Parameters
    ----------
    values:
        Name → (n, d), zeros where absent.
    """
    inputs = {**values, JOINED: np.concatenate(list(values.values()), 1)}
    found = {name: np.full((len(targets), classes), np.nan, np.float32) for name in [*inputs, MEAN]}
    for fold in folds.values():
        learnt = np.concatenate([fold.training, fold.inner])
        for name, matrix in inputs.items():
            found[name][fold.outer] = _fitted(
                matrix[learnt], targets[learnt], matrix[fold.outer], classes, C
            )
        found[MEAN][fold.outer] = np.mean([found[name][fold.outer] for name in values], 0)
    return found


def _fitted(
    inputs: np.ndarray, targets: np.ndarray, asked: np.ndarray, classes: int, C: float
) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=C, class_weight="balanced", max_iter=1000)
    ).fit(inputs, targets)
    found = np.zeros((len(asked), classes), np.float32)
    found[:, model.classes_] = model.predict_proba(asked)
    return found


def chance(
    targets: np.ndarray, folds: Mapping[int, Fold], classes: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Answers int (n,) of who knows but the classes' shares in training, -1 where none is asked.

    MAJORITY says the commonest class, RANDOM draws by the shares.
    """
    found = {name: np.full(len(targets), -1) for name in (MAJORITY, RANDOM)}
    for fold in folds.values():
        learnt = np.concatenate([fold.training, fold.inner])
        shares = np.bincount(targets[learnt], minlength=classes) / len(learnt)
        found[MAJORITY][fold.outer] = shares.argmax()
        found[RANDOM][fold.outer] = rng.choice(classes, len(fold.outer), p=shares)
    return found
