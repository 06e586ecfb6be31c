"""What two models answered to the same samples, and what one gains on the other by component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.core.randomness import generator
from pipeline.core.records import MIN_COMPONENTS
from pipeline.models.comparison.paired_bootstrap import holm
from pipeline.models.metrics import class_scores

# A class weighs so many times the commonest at most: each rare one would widen the bounds of all.
HEAVIEST = 10.0
FLIPS = 9_999


@dataclass(frozen=True)
class PairedAnswers:
    """Answers of the model in use and of a challenger to n samples of known truth.

    Attributes
    ----------
    component:
        str (n,). Samples of a component depend on each other; components do not.
    truth, champion, challenger:
        int (n,), class indices; -1 of an answer that is none of the classes.
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
            class_scores(self.truth, np.where(answers < 0, classes, answers), classes + 1)[
                "macro_f1"
            ]
            for answers in (self.champion, self.challenger)
        )
        return challenger - champion


def paired_answers(
    champion: pa.Table,
    challenger: pa.Table,
    samples: pa.Table,
    task: str,
    classes: Sequence[str],
    attributes: Sequence[str] = (),
) -> PairedAnswers:
    """What both answered to the samples of known truth, in the order of their ids.

    Parameters
    ----------
    champion, challenger:
        Rows of predictions.parquet (`core.schemas.predictions_schema`), of one split or several.
    samples:
        Rows of the curated table: those of them that both answered are compared.
    classes:
        Names of the task's classes. A truth that is none of them counts for nothing.
    attributes:
        Targets and attributes of samples that cut slices.
    """
    sides = [_by_sample(table, task) for table in (champion, challenger)]
    place = {name: i for i, name in enumerate(classes)}
    rows = [
        row
        for row in sorted(samples.to_pylist(), key=lambda row: row["sample_id"])
        if all(row["sample_id"] in side for side in sides)
        and sides[0][row["sample_id"]]["truth"] in place
    ]
    ids = [row["sample_id"] for row in rows]
    stated = [dict(row["attributes"] or ()) for row in rows]
    return PairedAnswers(
        component=np.array([row["component"] for row in rows], str),
        truth=np.array([place[sides[0][name]["truth"]] for name in ids], np.int64),
        # A class that only one of them knows is an answer like any other, and wrong.
        champion=np.array([place.get(sides[0][name]["prediction"], -1) for name in ids], np.int64),
        challenger=np.array(
            [place.get(sides[1][name]["prediction"], -1) for name in ids], np.int64
        ),
        slices={
            name: np.array(
                [
                    row[f"target.{name}"] if f"target.{name}" in row else said.get(name)
                    for row, said in zip(rows, stated, strict=True)
                ],
                dtype=object,
            )
            for name in attributes
        },
    )


def _by_sample(predictions: pa.Table, task: str) -> dict[str, dict[str, Any]]:
    columns = predictions.select(["sample_id", "task", "prediction", "truth"])
    return {
        row["sample_id"]: row
        for row in columns.to_pylist()
        if row["task"] == task and row["truth"] is not None
    }


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
    """What the challenger gains on the samples with one value of an attribute.

    `p` is the chance of so large a loss if the models were alike there, corrected for the number of
    slices by Holm's step-down.
    """

    attribute: str
    value: str
    components: int
    gain: float
    p: float


def slice_gains(answers: PairedAnswers, weights: np.ndarray, seed: int) -> list[SliceGain]:
    """Every slice of MIN_COMPONENTS components and more, the greatest loss first.

    The p-value is that of the paired permutation test: if two models are alike, which of them
    answered what is a coin's toss for each component (Fisher 1935), here FLIPS tosses.
    """
    measured = []
    for attribute, values in answers.slices.items():
        for value in sorted({str(value) for value in values if value is not None}):
            rows = np.array([each is not None and str(each) == value for each in values])
            gains = answers.take(rows).gains(weights)
            if len(gains) >= MIN_COMPONENTS:
                chance = loss_p_value(gains, generator(seed, "slice", attribute, value))
                measured.append((attribute, value, len(gains), float(gains.mean()), chance))
    corrected = holm([chance for *_, chance in measured])
    slices = [SliceGain(*row[:4], p) for row, p in zip(measured, corrected, strict=True)]
    return sorted(slices, key=lambda each: (each.gain, each.attribute, each.value))


def loss_p_value(gains: np.ndarray, rng: np.random.Generator) -> float:
    """One-sided p-value of a mean gain as low as that, by random signs: exact, and above 0."""
    signs = 2.0 * rng.integers(0, 2, (FLIPS, len(gains)), dtype=np.int8) - 1
    # A hair's breadth, since sums in another order differ in their last bits.
    as_low = int((signs @ gains <= gains.sum() + 1e-9).sum())
    return (as_low + 1) / (FLIPS + 1)
