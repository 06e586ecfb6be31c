"""Where a probability becomes a yes: the threshold of greatest F1 on validation."""

from __future__ import annotations

import numpy as np


def best_threshold(probability: np.ndarray, truth: np.ndarray) -> float:
    """The threshold t of greatest F1 for `probability >= t`; 0.5 if the truth is never or always 1.

    It lies midway between two probabilities that occur; of equal ones the nearest to 0.5 is taken.
    """
    from sklearn.metrics import precision_recall_curve

    if not 0 < truth.sum() < len(truth):
        return 0.5
    precision, recall, cuts = precision_recall_curve(truth, probability.astype(np.float64))
    total = precision + recall
    f1 = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)[:-1]
    below = np.concatenate([[0.0], cuts[:-1]])
    middle = (cuts + below) / 2
    best = middle[f1 >= f1.max() - 1e-12]
    return float(best[abs(best - 0.5).argmin()])
