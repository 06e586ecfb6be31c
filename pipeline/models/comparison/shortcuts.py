"""What stands beside the samples and tells the target by itself: a leak that no folds can mend.

Where samples were gathered class by class, the batch, the source, the length of a clip or which
modality is missing says the class, and a model learns that instead of the content.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.models.comparison.folds import Fold

BINS = 20


def find_shortcuts(
    columns: Mapping[str, np.ndarray], targets: np.ndarray, folds: Mapping[int, Fold]
) -> dict[str, float]:
    """Column → macro-F1 out of fold of who knows but its value, the most telling first.

    Who knows it says the class that has the value most often for its size (naive Bayes of one
    feature, by scikit-learn). A column of one value tells nothing and is left out.

    Parameters
    ----------
    columns:
        Name → (n,), numbers or anything with a text. Numbers are put in 20 bins of equal counts.
    targets:
        int (n,), class indices.
    """
    from sklearn.metrics import f1_score

    scores = {}
    for name, values in columns.items():
        codes = _codes(values)
        if codes.max() > 0:
            answers = _answers(codes, targets, folds)
            scores[name] = float(f1_score(targets, answers, average="macro", zero_division=0.0))
    return dict(sorted(scores.items(), key=lambda pair: (-pair[1], pair[0])))


def _answers(codes: np.ndarray, targets: np.ndarray, folds: Mapping[int, Fold]) -> np.ndarray:
    from sklearn.naive_bayes import CategoricalNB

    predictions = np.full(len(targets), -1)
    for fold in folds.values():
        training_rows = np.concatenate([fold.training, fold.inner])
        model = CategoricalNB(fit_prior=False, min_categories=int(codes.max()) + 1)
        model.fit(codes[training_rows, None], targets[training_rows])
        predictions[fold.outer] = model.predict(codes[fold.outer, None])
    return predictions


def _codes(values: np.ndarray) -> np.ndarray:
    """Each value's number from 0 on, int (n,)."""
    if values.dtype.kind in "iuf" and not np.isnan(values).all():
        edges = np.unique(np.nanquantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
        values = np.where(np.isnan(values), -1, np.digitize(values, edges))
    return np.unique([str(value) for value in values.tolist()], return_inverse=True)[1]
