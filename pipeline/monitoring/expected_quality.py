"""How good tonight's answers will be, before anybody has labelled anything.

Two estimates that fail in different ways. *By presence*: the evaluation says how well the model
does on each subset of modalities, and tonight says how often each occurs. *By confidence*: a
calibrated model's probabilities say how often it is right, from which an expected confusion matrix
and every figure of it follow (confidence-based performance estimation, as NannyML has it; the
difference of confidences to a reference: Guillory et al. 2021, "Predicting with confidence on
unseen distributions", arXiv:2107.03315). Neither sees a change of what the labels mean.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.core.files.documents import csv_rows
from pipeline.core.randomness import generator
from pipeline.core.records import MIN_COMPONENTS
from pipeline.models.evaluation.bootstrap import Resamples, interval
from pipeline.models.metrics import from_tally

Subset = frozenset[str]
# Of a class that fewer are expected to be of, there is no F1 to speak of.
LEAST_EXPECTED = 0.5


@dataclass(frozen=True)
class MissingModality:
    """`missing` tonight and `usual` before are shares of samples; `loss` is what it costs."""

    modality: str
    missing: float
    usual: float
    loss: float


@dataclass(frozen=True)
class ExpectedByPresence:
    """The figure expected tonight and for the reference, and what each missing modality costs."""

    expected: float
    usual: float
    missing: tuple[MissingModality, ...]
    why: str


def subset_scores(path: Path, task: str, split: str, figure: str) -> dict[Subset, float]:
    """Subset of a model's modalities → its figure, of data/evaluation/<model>/subsets.csv.

    They are those of the samples that have everything, with the rest hidden, so that they differ by
    the modalities alone.

    Raises
    ------
    PipelineError
        The table has no such figure of the task.
    """
    rows = csv_rows(path)
    scores = {
        frozenset(row["subset"].split("+")): float(row[figure])
        for row in rows
        if (row["task"], row["split"], row["kind"]) == (task, split, "masked") and row.get(figure)
    }
    if not scores:
        raise PipelineError(f"{path} has no {figure} of {task} on {split}: evaluate the model anew")
    return scores


def expected_by_presence(
    scores: Mapping[Subset, float],
    usual: Iterable[Subset],
    tonight: Iterable[Subset],
    unseen: float = 0.0,
) -> ExpectedByPresence:
    """The mean of the subsets' figures, as often as each occurs.

    Of a macro average that is an approximation: exact if classes are spread alike over subsets.

    Parameters
    ----------
    usual, tonight:
        What each sample of the reference and of tonight has; modalities that the model does not
        read count for nothing.
    unseen:
        The figure of samples of which the model sees nothing.
    """
    read = frozenset[str]().union(*scores)
    known = {**scores, frozenset[str](): unseen}
    before, after = (_shares(subsets, read) for subsets in (usual, tonight))
    expected, reference = (_mean(known, shares) for shares in (after, before))
    missing = []
    for modality in sorted(read):
        share, share_before = (
            sum(each for subset, each in shares.items() if modality not in subset)
            for shares in (after, before)
        )
        if share > share_before:
            restored = _restore(after, modality, (share - share_before) / share)
            loss = _mean(known, restored) - expected
            missing.append(MissingModality(modality, share, share_before, loss))
    missing.sort(key=lambda each: (-each.loss, each.modality))
    return ExpectedByPresence(expected, reference, tuple(missing), _why(missing, expected))


def _shares(subsets: Iterable[Subset], read: Subset) -> dict[Subset, float]:
    counts = Counter(subset & read for subset in subsets)
    return {subset: count / counts.total() for subset, count in counts.items()}


def _mean(scores: Mapping[Subset, float], shares: Mapping[Subset, float]) -> float:
    return sum(share * scores[subset] for subset, share in shares.items())


def _restore(shares: Mapping[Subset, float], modality: str, part: float) -> dict[Subset, float]:
    """The shares if so large a part of the samples without a modality had it."""
    restored: Counter[Subset] = Counter()
    for subset, share in shares.items():
        moved = 0.0 if modality in subset else part * share
        restored[subset] += share - moved  # type: ignore[assignment]
        restored[subset | {modality}] += moved  # type: ignore[assignment]
    return {subset: share for subset, share in restored.items() if share}


def _why(missing: Iterable[MissingModality], expected: float) -> str:
    reasons = [
        f"{each.modality} is missing in {each.missing:.0%}, usually in {each.usual:.0%}: expect "
        f"{100 * each.loss:.1f} points less"
        for each in missing
        if round(100 * each.loss, 1) > 0
    ]
    return "; ".join(reasons) or f"no modality is missing more than usual: expect {expected:.3f}"


@dataclass(frozen=True)
class Confident:
    """Answers with their calibrated probabilities.

    Attributes
    ----------
    probabilities:
        float (n, classes).
    prediction:
        int (n,), which need not be the likeliest class.
    component:
        (n,): what is resampled.
    """

    probabilities: np.ndarray
    prediction: np.ndarray
    component: np.ndarray


@dataclass(frozen=True)
class ExpectedByConfidence:
    """What probabilities say, less the error that they make on the reference.

    `low` and `high` hold the estimate with 95 % over resampled components of both; NaN where either
    has fewer than MIN_COMPONENTS. `overconfidence` is what they promise too much on the reference.
    """

    accuracy: float
    macro_f1: float
    low: float
    high: float
    overconfidence: float


def expected_by_confidence(
    tonight: Confident, reference: Confident, truth: np.ndarray, resamples: int, seed: int
) -> ExpectedByConfidence:
    """Accuracy and macro-F1 of tonight's answers, as their own probabilities have it.

    Parameters
    ----------
    reference:
        Answers whose truth is known, such as those to the test split.
    truth:
        int (n,), of the reference.
    """
    classes = tonight.probabilities.shape[1]
    promised = [_tallies(each, each.probabilities) for each in (tonight, reference)]
    kept = _tallies(reference, np.eye(classes)[truth])
    rng = generator(seed, "expected quality")
    figures = {
        name: np.array([_figure(t.sum(0), name) for t in (*promised, kept)])
        for name in ("accuracy", "macro_f1")
    }
    low = high = float("nan")
    if min(len(promised[0]), len(kept)) >= MIN_COMPONENTS:
        drawn = [
            np.concatenate([_figure(_resampled(c, t), "macro_f1") for c in counts])
            for t, counts in (
                (promised[0], Resamples(generator(seed, "tonight"), len(promised[0]), resamples)),
                (promised[1], Resamples(rng, len(kept), resamples)),
                (kept, Resamples(rng, len(kept), resamples)),
            )
        ]
        low, high = interval(drawn[0] - drawn[1] + drawn[2], 0.95)
    corrected = {name: each[0] - each[1] + each[2] for name, each in figures.items()}
    return ExpectedByConfidence(
        accuracy=float(corrected["accuracy"]),
        macro_f1=float(corrected["macro_f1"]),
        low=low,
        high=high,
        overconfidence=float(figures["macro_f1"][1] - figures["macro_f1"][2]),
    )


def _tallies(answers: Confident, probabilities: np.ndarray) -> np.ndarray:
    """Of each component, by class: expected hits, expected truths, answers; (m, 3, classes)."""
    place = np.unique(answers.component, return_inverse=True)[1]
    chosen = np.eye(probabilities.shape[1])[answers.prediction]
    rows = np.stack([chosen * probabilities, probabilities, chosen], 1)
    tallies = np.zeros((int(place.max()) + 1, *rows.shape[1:]))
    np.add.at(tallies, place, rows)
    return tallies


def _resampled(counts: np.ndarray, tallies: np.ndarray) -> np.ndarray:
    """(resamples, 3, classes)."""
    return np.asarray(np.tensordot(counts, tallies, 1))


def _figure(tallies: np.ndarray, name: str) -> np.ndarray:
    expected = tallies.copy()
    expected[..., 1, :][expected[..., 1, :] < LEAST_EXPECTED] = 0
    return from_tally(expected)[name]
