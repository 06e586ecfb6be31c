"""Figures of a classifier.

Macro averages run over the classes that occur among the truths they are computed on. A class that
is never true has no recall; predicting it costs the classes that are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SCORES = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "weighted_f1",
    "macro_precision",
    "macro_recall",
    "weighted_precision",
    "weighted_recall",
)


def tally(truth: np.ndarray, prediction: np.ndarray, classes: int) -> np.ndarray:
    """By class, how often it was hit, true and predicted: int64 (3, classes)."""
    hit = truth[truth == prediction]
    return np.stack([np.bincount(of, minlength=classes) for of in (hit, truth, prediction)])


def from_tally(counts: np.ndarray) -> dict[str, np.ndarray]:
    """SCORES of any number of tallies at once: (…, 3, classes) → (…) each.

    What would be divided by zero is 0.
    """
    hits, support, predicted = np.moveaxis(counts.astype(np.float64), -2, 0)
    total = support.sum(-1)
    recall, precision = ratio(hits, support), ratio(hits, predicted)
    f1 = ratio(2 * hits, support + predicted)
    occurring = (support > 0).sum(-1)

    def macro(figure: np.ndarray) -> np.ndarray:
        return ratio((figure * (support > 0)).sum(-1), occurring)

    def weighted(figure: np.ndarray) -> np.ndarray:
        return ratio((figure * support).sum(-1), total)

    return {
        "accuracy": ratio(hits.sum(-1), total),
        "balanced_accuracy": macro(recall),
        "macro_f1": macro(f1),
        "weighted_f1": weighted(f1),
        "macro_precision": macro(precision),
        "macro_recall": macro(recall),
        "weighted_precision": weighted(precision),
        "weighted_recall": weighted(recall),
    }


def class_scores(truth: np.ndarray, prediction: np.ndarray, classes: int) -> dict[str, float]:
    """SCORES from a tally, which is quick; all 0 where there is nothing to measure."""
    figures = from_tally(tally(truth, prediction, classes))
    return {name: float(value) for name, value in figures.items()}


def scores(truth: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """SCORES by scikit-learn."""
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    labels = np.unique(truth)
    figures = {"accuracy": float(accuracy_score(truth, prediction))}
    for average in ("macro", "weighted"):
        precision, recall, f1, _ = precision_recall_fscore_support(
            truth, prediction, labels=labels, average=average, zero_division=0
        )
        figures[f"{average}_precision"] = float(precision)
        figures[f"{average}_recall"] = float(recall)
        figures[f"{average}_f1"] = float(f1)
    # scikit-learn's balanced_accuracy_score is this, with a warning for classes never true.
    figures["balanced_accuracy"] = figures["macro_recall"]
    return {name: figures[name] for name in SCORES}


def per_class(
    truth: np.ndarray, prediction: np.ndarray, classes: Sequence[str]
) -> list[tuple[str, float, float, float, int]]:
    """Name, precision, recall, F1 and support of each class, by scikit-learn."""
    from sklearn.metrics import precision_recall_fscore_support

    columns = precision_recall_fscore_support(
        truth, prediction, labels=range(len(classes)), zero_division=0
    )
    return [
        (name, float(precision), float(recall), float(f1), int(support))
        for name, precision, recall, f1, support in zip(classes, *columns, strict=True)
    ]


def bin_of(confidence: np.ndarray, bins: int) -> np.ndarray:
    """Bin m of equal-width bins (m/bins, (m+1)/bins] for each confidence; 0 falls in the first."""
    place = np.ceil(confidence.astype(np.float64) * bins) - 1
    return np.asarray(place.clip(0, bins - 1), dtype=np.int64)


def calibration_error(sums: np.ndarray) -> np.ndarray:
    """Expected calibration error (…) from sums per bin, (…, bins, 3): count, confidence, correct.

    Σ count/n · |accuracy - confidence| (Naeini et al. 2015; Guo et al. 2017, arXiv:1706.04599).
    """
    gaps: np.ndarray = abs(sums[..., 2] - sums[..., 1]).sum(-1)
    return ratio(gaps, sums[..., 0].sum(-1))


def calibration(confidence: np.ndarray, correct: np.ndarray, bins: int) -> np.ndarray:
    """Count, summed confidence and correct ones of each bin: float64 (bins, 3)."""
    place = bin_of(confidence, bins)
    columns = (np.ones(len(place)), confidence.astype(np.float64), correct.astype(np.float64))
    return np.stack([np.bincount(place, column, minlength=bins) for column in columns], 1)


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """The one over the other, float64; 0 where that would be divided by zero."""
    above, below = np.broadcast_arrays(
        np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    )
    quotient: np.ndarray = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    return quotient
