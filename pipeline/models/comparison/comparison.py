"""Answers of many models to the same samples → which is better, by how much, and is it sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.core.randomness import generator
from pipeline.models.comparison.candidate import (
    CHOICE,
    SEED_ENSEMBLE,
    Candidate,
    choose_by_inner_score,
    seed_ensemble,
)
from pipeline.models.comparison.label_errors import label_errors
from pipeline.models.comparison.paired_bootstrap import paired_differences
from pipeline.models.evaluation.bootstrap import interval
from pipeline.models.evaluation.scorer import BootstrapScore, Scorer
from pipeline.models.metrics import calibration, calibration_error

if TYPE_CHECKING:
    from pipeline.models.comparison.options import ComparisonOptions

Table = list[dict[str, Any]]
MAX_LABEL_ERRORS = 20
FUSED = ("fusion", CHOICE)


def comparison_tables(
    candidates: Sequence[Candidate],
    fold: np.ndarray,
    truth: np.ndarray,
    component: np.ndarray,
    sample_ids: np.ndarray,
    classes: Sequence[str],
    options: ComparisonOptions,
    seed: int,
) -> dict[str, Table]:
    """Every table of the comparison by name.

    Parameters
    ----------
    fold, truth, component, sample_ids:
        (n,) each: fold that a sample is judged in, class index, component and id.
    """
    scorer = Scorer(
        truth, component, len(classes), options.resamples, generator(seed, "comparison")
    )
    picked: dict[int, str] = {}
    suspects: Table = []
    if any(candidate.kind == "fusion" for candidate in candidates):
        choice, picked = choose_by_inner_score(candidates, fold)
        candidates = [*candidates, choice, seed_ensemble(choice)]
        suspects = [
            {
                "sample_id": str(sample_ids[error.row]),
                "component": str(component[error.row]),
                **asdict(error),
                "given": classes[error.given],
                "suggested": classes[error.suggested],
            }
            for error in label_errors(
                np.mean(choice.probabilities, 0), truth, component, MAX_LABEL_ERRORS
            )
        ]
    masked = {
        (candidate.name, subset): answers
        for candidate in candidates
        if candidate.kind in FUSED
        for subset, answers in candidate.predictions.items()
        if subset != candidate.full_subset
    }
    all_scores = scorer.scores([*(candidate.answers for candidate in candidates), *masked.values()])
    scores = {
        candidate.name: score for candidate, score in zip(candidates, all_scores, strict=False)
    }
    masked_scores = dict(zip(masked, all_scores[len(candidates) :], strict=True))
    inner = {candidate.name: candidate.inner for candidate in candidates}
    return {
        "leaderboard": leaderboard_rows(candidates, scores, scorer, truth, options),
        "paired": paired_rows(candidates, scores, options.confidence),
        "missing": [
            row
            for candidate in candidates
            if candidate.kind in FUSED
            for row in missing_rows(
                candidate, candidates, scores, masked_scores, options.confidence
            )
        ],
        "choices": [
            {"fold": number, "model": name, "inner_macro_f1": inner[name][number]}
            for number, name in picked.items()
        ],
        "classes": class_rows(candidates, truth, component, classes),
        "label_errors": suspects,
    }


def leaderboard_rows(
    candidates: Sequence[Candidate],
    scores: Mapping[str, BootstrapScore],
    scorer: Scorer,
    truth: np.ndarray,
    options: ComparisonOptions,
) -> Table:
    """One row per candidate, the best first.

    `macro_f1` is the mean over seeds with the interval over components; `deviation` that over
    seeds; `together` what the mean of the seeds' probabilities scores; `ece` the mean over seeds.
    """
    rows = []
    for candidate in candidates:
        score = scores[candidate.name]
        low, high = interval(score.drawn, options.confidence)
        row = {
            "model": candidate.name,
            "kind": candidate.kind,
            "modalities": candidate.full_subset,
            "parameters": candidate.parameters,
            "macro_f1": score.value,
            "low": low,
            "high": high,
            "deviation": float(np.std(score.seeds)),
            "together": None,
            "accuracy": float(np.mean([(answer == truth).mean() for answer in candidate.answers])),
            "ece": None,
            "inner_macro_f1": float(np.mean(list(candidate.inner.values())))
            if candidate.inner
            else None,
            "diverged": sum(candidate.diverged.values()),
        }
        if candidate.probabilities:
            mean_probabilities = np.mean(candidate.probabilities, 0)
            row["together"] = scorer.value(mean_probabilities.argmax(1))
            row["ece"] = float(
                np.mean([_ece(p, truth, options.bins) for p in candidate.probabilities])
            )
        rows.append(row)
    return sorted(rows, key=lambda row: (-row["macro_f1"], row["model"]))


def paired_rows(
    candidates: Sequence[Candidate], scores: Mapping[str, BootstrapScore], confidence: float
) -> Table:
    """Every fusion against the best single modality, the best baseline and the best fusion.

    Seeds used as one are held against the baseline alone, which answers once as well: against means
    over seeds their gain would be that of having many.
    """

    def best(kind: str) -> str | None:
        named = [candidate.name for candidate in candidates if candidate.kind == kind]
        return min(named, key=lambda name: (-scores[name].value, name), default=None)

    fusions = [candidate.name for candidate in candidates if candidate.kind in FUSED]
    pairs = [
        (name, other)
        for kind in ("single", "baseline", "fusion")
        for other in [best(kind)]
        for name in fusions
        if other is not None and name != other and (name != SEED_ENSEMBLE or kind == "baseline")
    ]
    return [asdict(difference) for difference in paired_differences(scores, pairs, confidence)]


def missing_rows(
    candidate: Candidate,
    candidates: Sequence[Candidate],
    scores: Mapping[str, BootstrapScore],
    masked_scores: Mapping[tuple[str, str], BootstrapScore],
    confidence: float,
) -> Table:
    """What a fusion loses where modalities are missing, against the model trained for what is left.

    One row per proper subset: its score there, and the best of the models that have just that
    subset. masked_scores: the scores of fusions by name and what is shown.
    """
    rows = []
    for subset in candidate.predictions:
        if subset == candidate.full_subset:
            continue
        score = masked_scores[candidate.name, subset]
        row: dict[str, Any] = {"model": candidate.name, "shown": subset, "macro_f1": score.value}
        rivals = [
            other.name
            for other in candidates
            if other.full_subset == subset and other.kind in ("single", "partial")
        ]
        if rivals:
            name = min(rivals, key=lambda rival: (-scores[rival].value, rival))
            low, high = interval(score.drawn - scores[name].drawn, confidence)
            row |= {
                "other": name,
                "other_macro_f1": scores[name].value,
                "value": score.value - scores[name].value,
                "low": low,
                "high": high,
            }
        rows.append(row)
    return rows


def class_rows(
    candidates: Sequence[Candidate],
    truth: np.ndarray,
    component: np.ndarray,
    classes: Sequence[str],
) -> Table:
    """One row per candidate and class that occurs: its F1, the mean over seeds."""
    from sklearn.metrics import f1_score

    present = np.unique(truth)
    counts = {
        k: {"n": int((truth == k).sum()), "components": len(np.unique(component[truth == k]))}
        for k in present.tolist()
    }
    return [
        {"model": candidate.name, "class": classes[k], **counts[k], "f1": float(f1)}
        for candidate in candidates
        for f1_by_class in [
            np.mean(
                [
                    f1_score(truth, answer, labels=present, average=None, zero_division=0.0)
                    for answer in candidate.answers
                ],
                0,
            )
        ]
        for k, f1 in zip(present.tolist(), f1_by_class, strict=True)
    ]


def _ece(probabilities: np.ndarray, truth: np.ndarray, bins: int) -> float:
    correct = probabilities.argmax(1) == truth
    return float(calibration_error(calibration(probabilities.max(1), correct, bins)))
