"""What two models answered to the same samples, and what one gains on the other by component."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pipeline.core.randomness import generator
from pipeline.core.records import MIN_COMPONENTS
from pipeline.models.comparison.paired_bootstrap import holm
from pipeline.models.metrics import class_scores

# A class weighs so many times the commonest at most: each rare one would widen the bounds of all.
HEAVIEST = 4.0
FLIPS = 9_999


@dataclass(frozen=True)
class PairedAnswers:
    """Answers of the model in use and of a challenger to n samples of known truth.

    Attributes
    ----------
    component:
        str (n,). Samples of a component depend on each other; components do not.
    truth, champion, challenger:
        int (n,), class indices.
    slices:
        Attribute → str (n,) or None: by whose values samples are told apart.
    """

    component: np.ndarray
    truth: np.ndarray
    champion: np.ndarray
    challenger: np.ndarray
    slices: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: np.ndarray) -> PairedAnswers:
        return PairedAnswers(
            self.component[rows],
            self.truth[rows],
            self.champion[rows],
            self.challenger[rows],
            {name: values[rows] for name, values in self.slices.items()},
        )

    def gains(self, weights: np.ndarray) -> np.ndarray:
        """What the challenger gains on each component, float64 (m,), in shares of right answers.

        Of a component's samples it is the mean of the class's weight where the challenger alone is
        right, less that where the champion alone is: no further from 0 than the greatest weight.
        Weights are float (classes,), as `class_weights` gives them, and the mean gain is then one
        of balanced accuracy.
        """
        right = np.subtract(
            self.challenger == self.truth, self.champion == self.truth, dtype=np.float64
        )
        place = np.unique(self.component, return_inverse=True)[1]
        gained: np.ndarray = np.bincount(place, weights[self.truth] * right) / np.bincount(place)
        return gained

    def macro_f1_gain(self, classes: int) -> float:
        """Macro-F1 of the challenger less that of the champion."""
        champion, challenger = (
            class_scores(self.truth, answers, classes)["macro_f1"]
            for answers in (self.champion, self.challenger)
        )
        return challenger - champion


def class_weights(truth: np.ndarray, component: np.ndarray, classes: int) -> np.ndarray:
    """Weights under which each class counts alike, float64 (classes,), of mean 1 over components.

    A class weighs as the inverse of its share, components counting as one each. They come from data
    that no test reads, such as the train split. The heaviest weighs `HEAVIEST` times the lightest,
    at most.
    """
    place, size = np.unique(component, return_inverse=True, return_counts=True)[1:]
    share = np.bincount(truth, 1 / size[place], minlength=classes) / len(size)
    weights = 1 / np.maximum(share, share.max() / HEAVIEST)
    return np.asarray(weights / (share @ weights))


@dataclass(frozen=True)
class SliceGain:
    """What the challenger gains on the samples of a test set with one value of an attribute.

    `p` is the chance of so large a loss if the models were alike there, corrected for the number of
    slices by Holm's step-down.
    """

    test_set: str
    attribute: str
    value: str
    components: int
    gain: float
    p: float


def slice_gains(
    answers: Mapping[str, PairedAnswers], weights: np.ndarray, seed: int
) -> list[SliceGain]:
    """Every slice of each test set of MIN_COMPONENTS components and more, the greatest loss first.

    The p-value is that of the paired permutation test: if two models are alike, which of them
    answered what is a coin's toss for each component (Fisher 1935), here FLIPS tosses.
    """
    measured = []
    for test_set, attribute in ((t, a) for t, each in answers.items() for a in each.slices):
        values = answers[test_set].slices[attribute]
        for value in sorted({str(value) for value in values if value is not None}):
            rows = np.array([each is not None and str(each) == value for each in values])
            gains = answers[test_set].take(rows).gains(weights)
            if len(gains) >= MIN_COMPONENTS:
                chance = loss_p_value(gains, generator(seed, "slice", test_set, attribute, value))
                named = (test_set, attribute, value)
                measured.append((*named, len(gains), float(gains.mean()), chance))
    corrected = holm([chance for *_, chance in measured])
    slices = [SliceGain(*row[:5], p) for row, p in zip(measured, corrected, strict=True)]
    return sorted(slices, key=lambda each: (each.gain, each.test_set, each.attribute, each.value))


def loss_p_value(gains: np.ndarray, rng: np.random.Generator) -> float:
    """One-sided p-value of a mean gain as low as that, by random signs: exact, and above 0."""
    signs = 2.0 * rng.integers(0, 2, (FLIPS, len(gains)), dtype=np.int8) - 1
    # A hair's breadth, since sums in another order differ in their last bits.
    as_low = int((signs @ gains <= gains.sum() + 1e-9).sum())
    return (as_low + 1) / (FLIPS + 1)
