"""Which labels are likely wrong, by confident learning.

Northcutt, Jiang & Chuang 2021, Confident Learning: Estimating Uncertainty in Dataset Labels
(arXiv:1911.00068): a class is believed of an example if its probability is at least what the class
has on average where it is given. Examples of which another class is believed than the one given are
the off-diagonal of the confident joint, and the less probable the given class, the more suspicious.
An example is here a component, or what of it has one label: one picture with its name in many
languages is labelled once, and doubted for what all of them say rather than for the oddest word.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LabelError:
    """A component whose label is likely wrong.

    Attributes
    ----------
    row:
        That of its rows which says so most.
    suggested:
        The class that is believed instead.
    self_confidence, margin:
        Probability of the given class, and by how much the suggested one is more probable: means
        over the rows of the component that have the label.
    disagreeing, same_label:
        Of `same_label` such rows, so many are answered by another class than the given one.
    """

    row: int
    given: int
    suggested: int
    self_confidence: float
    margin: float
    disagreeing: int
    same_label: int


def label_errors(
    probabilities: np.ndarray, labels: np.ndarray, component: np.ndarray, most: int
) -> list[LabelError]:
    """Up to `most` labels, the most suspicious first, one of each component.

    Parameters
    ----------
    probabilities:
        float (n, classes), of models that did not learn from the row.
    labels:
        int (n,), the label.
    component:
        (n,).
    """
    place = np.unique(component, return_inverse=True)[1]
    _, first, group = np.unique(
        place * probabilities.shape[1] + labels, return_index=True, return_inverse=True
    )
    counts = np.bincount(group)
    means = np.zeros((len(counts), probabilities.shape[1]))
    np.add.at(means, group, probabilities)
    means /= counts[:, None]
    label = labels[first]
    label_probability = means[np.arange(len(means)), label]
    believed = _confident_class(means, label)
    doubted = (believed >= 0) & (believed != label) & (means.argmax(1) != label)
    order = np.flatnonzero(doubted)
    order = order[np.argsort(label_probability[order], kind="stable")]
    _, worst = np.unique(place[first][order], return_index=True)
    errors = []
    for example in order[np.sort(worst)[:most]].tolist():
        rows = np.flatnonzero(group == example)
        errors.append(
            LabelError(
                row=int(rows[probabilities[rows, label[example]].argmin()]),
                given=int(label[example]),
                suggested=int(believed[example]),
                self_confidence=float(label_probability[example]),
                margin=float(means[example, believed[example]] - label_probability[example]),
                disagreeing=int((probabilities[rows].argmax(1) != label[example]).sum()),
                same_label=len(rows),
            )
        )
    return errors


def _confident_class(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The likeliest of the classes that reach their threshold, int (n,); -1 where none does."""
    thresholds = np.full(probabilities.shape[1], np.inf)
    for label in np.unique(labels):
        thresholds[label] = probabilities[labels == label, label].mean()
    reached = np.where(probabilities >= thresholds, probabilities, -1.0)
    likeliest: np.ndarray = np.where(reached.max(1) >= 0, reached.argmax(1), -1)
    return likeliest
