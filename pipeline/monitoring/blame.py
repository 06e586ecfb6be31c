"""Which batch made a figure worse: what it would be had the batch never landed.

A batch moves a figure in two ways, which add up: what the model *learnt* from it, seen on the
samples of all other batches, and what it brought to be *judged* by. Poisoned labels do both.

Where a batch is a twentieth of the data, chance moves the figure by more than most batches do. So
each is asked a sharper question beside: do its samples, of all splits, agree with what all other
batches teach? They are answered by the model that never saw it, and its components are compared
with those of the other batches, each answered by a model that never saw theirs. A batch that stands
out is named before those that don't, unless the figure is surely better for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.randomness import generator
from pipeline.core.records import MIN_COMPONENTS
from pipeline.models.comparison.paired_bootstrap import holm
from pipeline.models.evaluation.answers import Answers
from pipeline.models.evaluation.bootstrap import (
    Resamples,
    interval,
    replicates_of_rows,
    resampled_tallies,
)
from pipeline.models.metrics import SCORES, class_scores, from_tally
from pipeline.models.tasks import Task
from pipeline.monitoring.two_sample import sequential_p_value

# Source and batch.
Batch = tuple[str, str]
# Of all intervals together.
CONFIDENCE = 0.95
PERMUTATIONS = 9_999


@dataclass(frozen=True)
class BatchBlame:
    """What a batch costs.

    Attributes
    ----------
    samples, judged_samples:
        That it gives to learn from, and to be judged by.
    agreement, p:
        Share of right answers to all its samples by the model that never saw it, of a number the
        mean absolute error below 0; and the chance that so little is chance, corrected for the
        number of batches by Holm's step-down. None where there is no such model.
    harm:
        By how much the figure would be better without the batch: `learnt` + `judged`. None where
        nothing can be learnt or judged without it.
    low, high:
        Bounds of `harm` that hold for all batches together with 95 % over resampled components
        (Bonferroni); None where there are too few.
    """

    source: str
    batch: str
    samples: int
    judged_samples: int
    harm: float | None
    agreement: float | None = None
    p: float | None = None
    learnt: float | None = None
    judged: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Landing:
    """The figure once a batch had landed, and what it gained by it; None: there was none yet."""

    source: str
    batch: str
    value: float | None
    gained: float | None


def known_figures(task: Task) -> list[str]:
    """What can be blamed for of a task: all that it measures but the error of its calibration."""
    return [name for name in task.FIGURES if name != "ece"]


def figure_of(answers: Answers, name: str) -> float:
    """A figure of some answers, one of `known_figures`."""
    if answers.task.ONE_CLASS and name in SCORES:
        return class_scores(answers.truth, answers.prediction, answers.classes)[name]
    return float(answers.task.figures(answers.truth, answers.answer, answers.prediction)[name])


def leave_one_out(
    full: Answers,
    without: Mapping[Batch, Answers | None],
    batch_of: Sequence[Batch],
    judged: np.ndarray,
    learnt_from: Mapping[Batch, int],
    figure: str,
    resamples: int,
    seed: int,
) -> list[BatchBlame]:
    """Every batch, the one most to blame first.

    Parameters
    ----------
    full, without:
        Answers to the same n samples of all splits: of the model that learnt from all batches, and
        by batch of one that learnt from all others. None: it could learn nothing.
    batch_of:
        The batch of each of the n samples.
    judged:
        bool (n,): those that the figure is measured on.
    learnt_from:
        Batch → samples that it gives to learn from.
    """
    sign = full.task.FIGURES[figure].sign
    of_batch = {name: np.array([each == name for each in batch_of], bool) for name in without}
    value, draws, drawn = figure_of(full.take(judged), figure), None, np.empty(0)
    if full.take(judged).components >= MIN_COMPONENTS:
        draws = Resamples(generator(seed, "blame", figure), full.components, resamples)
        drawn = _drawn(full, judged, figure, draws)
    confidence = 1 - (1 - CONFIDENCE) / len(without)
    agreement = _agreement(without, of_batch, seed)
    blamed = []
    for name, answers in without.items():
        others = judged & ~of_batch[name]
        counts = learnt_from[name], int((judged & of_batch[name]).sum())
        if answers is None or not others.any():
            blamed.append(BatchBlame(*name, *counts, None))
            continue
        value_others = figure_of(full.take(others), figure)
        learnt = sign * (figure_of(answers.take(others), figure) - value_others)
        brought = sign * (value_others - value)
        low = high = None
        if draws is not None:
            differences = sign * (_drawn(answers, others, figure, draws) - drawn)
            low, high = interval(differences, confidence)
        blamed.append(
            BatchBlame(
                *name,
                *counts,
                harm=learnt + brought,
                agreement=agreement[name][0],
                p=agreement[name][1],
                learnt=learnt,
                judged=brought,
                low=low,
                high=high,
            )
        )
    return sorted(blamed, key=_to_blame, reverse=True)


def _to_blame(each: BatchBlame) -> tuple[bool, float, float, str, str]:
    """Those that stand out by how surely they do, then by harm."""
    harm = -np.inf if each.harm is None else each.harm
    helps = each.high is not None and each.high < 0
    stands_out = each.p is not None and each.p <= 1 - CONFIDENCE and not helps
    sureness = -each.p if stands_out and each.p is not None else -1.0
    return stands_out, sureness, harm, each.source, each.batch


def _agreement(
    without: Mapping[Batch, Answers | None], of_batch: Mapping[Batch, np.ndarray], seed: int
) -> dict[Batch, tuple[float | None, float | None]]:
    """Of each batch the mean over its components, and the p-value that it is so low."""
    by_batch = {
        name: _component_agreement(answers.take(of_batch[name]))
        for name, answers in without.items()
        if answers is not None and of_batch[name].any()
    }
    p_values = []
    for name, components in by_batch.items():
        everything = np.concatenate([components, *(v for k, v in by_batch.items() if k != name)])
        rng = generator(seed, "agreement", *name)
        size = len(components)
        low = sequential_p_value(
            -float(components.sum()),
            lambda count, rng=rng, values=everything, size=size: (
                -rng.permuted(  # type: ignore[misc]
                    np.tile(values, (count, 1)), axis=1
                )[:, :size].sum(1)
            ),
            PERMUTATIONS,
        )
        p_values.append(low)
    corrected = dict(zip(by_batch, holm(p_values), strict=True))
    return {
        name: (float(by_batch[name].mean()), corrected[name]) if name in by_batch else (None, None)
        for name in without
    }


def _component_agreement(answers: Answers) -> np.ndarray:
    """Of each component the mean of what is right, or of what is missed, below 0: (m,)."""
    if answers.task.NUMBER:
        right = -abs(answers.truth - answers.prediction)
    else:
        right = answers.correct.reshape(len(answers), -1).mean(1)
    place = np.unique(answers.component, return_inverse=True)[1]
    agreed: np.ndarray = np.bincount(place, right) / np.bincount(place)
    return agreed


def as_of_curve(
    answers: Mapping[Batch, Answers | None],
    batch_of: Sequence[Batch],
    judged: np.ndarray,
    figure: str,
) -> list[Landing]:
    """The figure batch after batch, as it was when each had landed.

    answers: in the order of landing, those of a model that learnt from the batches so far, to the
    samples of all batches; of the judged the figure reads those that had landed.
    """
    curve: list[Landing] = []
    landed: set[Batch] = set()
    before: float | None = None
    for name, each in answers.items():
        landed.add(name)
        rows = judged & np.array([batch in landed for batch in batch_of], bool)
        value = None if each is None or not rows.any() else figure_of(each.take(rows), figure)
        gained = None if value is None or before is None else value - before
        curve.append(Landing(*name, value, gained))
        before = value
    return curve


def _drawn(answers: Answers, rows: np.ndarray, figure: str, draws: Resamples) -> np.ndarray:
    """The figure of some rows on every resample of components, float64 (resamples,)."""
    if answers.task.ONE_CLASS and figure in SCORES:
        some = answers.component[rows], answers.truth[rows], answers.prediction[rows]
        blocks = [
            from_tally(resampled_tallies(counts, *some, answers.classes))[figure]
            for counts in draws
        ]
        return np.concatenate(blocks)

    def measure(drawn: np.ndarray) -> dict[str, float]:
        kept = drawn[rows[drawn]]
        return {figure: figure_of(answers.take(kept), figure)} if len(kept) else {}

    return replicates_of_rows(draws, answers.component, measure)[figure]
