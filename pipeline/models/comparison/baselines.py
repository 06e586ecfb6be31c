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
    probabilities = {
        name: np.full((len(targets), classes), np.nan, np.float32) for name in [*inputs, MEAN]
    }
    for fold in folds.values():
        training_rows = np.concatenate([fold.training, fold.inner])
        for name, matrix in inputs.items():
            probabilities[name][fold.outer] = _fit_and_predict(
                matrix[training_rows], targets[training_rows], matrix[fold.outer], classes, C
            )
        probabilities[MEAN][fold.outer] = np.mean(
            [probabilities[name][fold.outer] for name in values], 0
        )
    return probabilities


def _fit_and_predict(
    inputs: np.ndarray, targets: np.ndarray, outer_inputs: np.ndarray, classes: int, C: float
) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=C, class_weight="balanced", max_iter=1000)
    ).fit(inputs, targets)
    probabilities = np.zeros((len(outer_inputs), classes), np.float32)
    probabilities[:, model.classes_] = model.predict_proba(outer_inputs)
    return probabilities


def chance(
    targets: np.ndarray, folds: Mapping[int, Fold], classes: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Answers int (n,) of who knows but the classes' shares in training, -1 where none is asked.

    MAJORITY says the commonest class, RANDOM draws by the shares.
    """
    predictions = {name: np.full(len(targets), -1) for name in (MAJORITY, RANDOM)}
    for fold in folds.values():
        training_rows = np.concatenate([fold.training, fold.inner])
        shares = np.bincount(targets[training_rows], minlength=classes) / len(training_rows)
        predictions[MAJORITY][fold.outer] = shares.argmax()
        predictions[RANDOM][fold.outer] = rng.choice(classes, len(fold.outer), p=shares)
    return predictions
