"""What the judged trials say of each system: figures, with intervals over people.

A resample draws circles of people, not trials, since trials of one person are not independent: a
trial weighs as often as its person was drawn, and one between two people as often as both were
(Bolle, Ratha & Pankanti, "Error analysis of pattern recognition systems: the subsets bootstrap",
Computer Vision and Image Understanding 93, 2004).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.core.randomness import generator
from pipeline.core.records import MIN_COMPONENTS
from pipeline.models.evaluation.bootstrap import interval, resample
from pipeline.models.verification.crossfit import Judged
from pipeline.models.verification.detection import (
    Costs,
    cllr,
    eer,
    error_curve,
    least_cllr,
    least_cost,
    rates_at,
)
from pipeline.models.verification.options import VerificationOptions
from pipeline.models.verification.people import People

# Resamples that are measured together, a bound on memory.
BLOCK = 32
# Which impostors are held against all trials of one person.
ALL = "all impostors"
SAME_CONTENT, OTHER_CONTENT = "impostors with the same content", "impostors with other content"
COMPARED = ("eer", "cllr")
Figures = dict[str, np.ndarray]


@dataclass(frozen=True)
class Figure:
    """One figure of one system or fusion, as a row of figures.csv.

    `impostors` says which are counted; `targets` and `others` are trials of one person and of two,
    `unscored` those that lacked its features. `low` and `high` are None where there is no interval.
    """

    system: str
    enrolled: int
    impostors: str
    figure: str
    value: float
    low: float | None
    high: float | None
    targets: int
    others: int
    unscored: int


def measure(
    people: People, judged: Mapping[int, Judged], options: VerificationOptions, seed: int
) -> list[Figure]:
    """All figures of all systems and fusions; a kind of impostors that no trial has is left out.

    `eer_more` and `cllr_more` are how much more a system's are than those of the one that answers,
    on the same resamples of people.
    """
    figures: list[Figure] = []
    for count, each in judged.items():
        for kind, rows in _kinds(each, options):
            measured = {
                name: told
                for name in each.ratios
                if (told := _measured(people, each, options, seed, count, kind, rows, name))
            }
            if (answering := measured.get(options.answering)) is not None:
                for told in measured.values():
                    if told is not answering:
                        _compare(told, answering)
            for name, told in measured.items():
                counts = told.targets, told.others, told.unscored
                for figure, value in told.values.items():
                    low, high = None, None
                    if figure in told.drawn:
                        low, high = interval(told.drawn[figure], options.confidence)
                    figures.append(
                        Figure(name, count, kind, figure, float(value), low, high, *counts)
                    )
    return figures


def _kinds(judged: Judged, options: VerificationOptions) -> Iterator[tuple[str, np.ndarray]]:
    """Kind of impostors → trials of one person and of those impostors."""
    trials = judged.trials
    yield ALL, np.full(len(trials), True)
    if options.content is not None:
        for kind, said in ((SAME_CONTENT, True), (OTHER_CONTENT, False)):
            rows = trials.same | (trials.same_content == said)
            if not trials.same[rows].all():
                yield kind, rows


@dataclass(frozen=True)
class _Measured:
    """A system's figures, and what they are in each resample, (resamples,)."""

    values: Figures
    drawn: Figures
    targets: int
    others: int
    unscored: int


def _measured(
    people: People,
    judged: Judged,
    options: VerificationOptions,
    seed: int,
    count: int,
    kind: str,
    rows: np.ndarray,
    name: str,
) -> _Measured | None:
    """Of one system on some trials; None where it scores none of one person, or none of two."""
    scored = rows & ~np.isnan(judged.ratios[name])
    trials, ratios = judged.trials.take(scored), judged.ratios[name][scored]
    targets, others = int(trials.same.sum()), int((~trials.same).sum())
    if not targets or not others:
        return None
    costs = Costs(options.prior, options.miss_cost, options.false_cost)
    copied = options.systems[name].copied if name in options.systems else None
    raw = judged.scores[scored, list(options.systems).index(name)] if copied is not None else None

    def figures(weights: np.ndarray) -> Figures:
        curve = error_curve(ratios, trials.same, weights)
        miss, false = rates_at(options.threshold, ratios, trials.same, weights)
        rates = {
            "eer": eer(curve),
            "min_dcf": least_cost(curve, costs),
            "act_dcf": costs.of(miss, false),
            "cllr": cllr(ratios, trials.same, weights),
            "miss": miss,
            "false_acceptance": false,
        }
        if raw is not None and copied is not None:
            miss, false = rates_at(copied, raw, trials.same, weights)
            rates |= {"copied_miss": miss, "copied_false_acceptance": false}
        return rates

    values = figures(np.ones(len(ratios)))
    values["min_cllr"] = np.array(least_cllr(ratios, trials.same))
    # The circles of all trials, scored or not, so that every system sees the same resamples.
    every = judged.trials.take(rows)
    circles = np.unique(people.circle[[every.probe, every.enrolled[:, 0]]])
    of_probe, of_enrolled = (
        np.searchsorted(circles, people.circle[side])
        for side in (trials.probe, trials.enrolled[:, 0])
    )
    drawn: dict[str, list[np.ndarray]] = {}
    if len(circles) >= MIN_COMPONENTS:
        rng = generator(seed, "verification", count, kind)
        for start in range(0, options.resamples, BLOCK):
            counts = resample(rng, len(circles), min(BLOCK, options.resamples - start))
            weights = counts[:, of_probe] * np.where(trials.same, 1, counts[:, of_enrolled])
            for figure, drawings in figures(weights).items():
                drawn.setdefault(figure, []).append(drawings)
    return _Measured(
        values,
        {figure: np.concatenate(each) for figure, each in drawn.items()},
        targets,
        others,
        int(rows.sum() - scored.sum()),
    )


def _compare(told: _Measured, answering: _Measured) -> None:
    """Add to a system's figures how much more they are than those of the one that answers."""
    for figure in COMPARED:
        for mine, others in ((told.values, answering.values), (told.drawn, answering.drawn)):
            if figure in mine:
                mine[f"{figure}_more"] = mine[figure] - others[figure]
