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
    """All figures of all systems and fusions; a kind of impostors that no trial has is left out."""
    return [
        figure
        for count, each in judged.items()
        for kind, rows in _kinds(each, options)
        for name, ratios in each.ratios.items()
        for figure in _figures(people, each, options, seed, count, kind, rows, name, ratios)
    ]


def _kinds(judged: Judged, options: VerificationOptions) -> Iterator[tuple[str, np.ndarray]]:
    """Kind of impostors → trials of one person and of those impostors."""
    trials = judged.trials
    yield ALL, np.full(len(trials), True)
    if options.content is not None:
        for kind, said in ((SAME_CONTENT, True), (OTHER_CONTENT, False)):
            rows = trials.same | (trials.same_content == said)
            if not trials.same[rows].all():
                yield kind, rows


def _figures(
    people: People,
    judged: Judged,
    options: VerificationOptions,
    seed: int,
    count: int,
    kind: str,
    rows: np.ndarray,
    name: str,
    ratios: np.ndarray,
) -> Iterator[Figure]:
    scored = rows & ~np.isnan(ratios)
    trials, ratios = judged.trials.take(scored), ratios[scored]
    targets, others = int(trials.same.sum()), int((~trials.same).sum())
    if not targets or not others:
        return
    costs = Costs(options.prior, options.miss_cost, options.false_cost)
    copied = options.systems[name].copied if name in options.systems else None
    raw = judged.scores[scored, list(options.systems).index(name)] if copied is not None else None

    def figures(weights: np.ndarray) -> Figures:
        curve = error_curve(ratios, trials.same, weights)
        miss, false = rates_at(options.threshold, ratios, trials.same, weights)
        told = {
            "eer": eer(curve),
            "min_dcf": least_cost(curve, costs),
            "act_dcf": costs.of(miss, false),
            "cllr": cllr(ratios, trials.same, weights),
            "miss": miss,
            "false_acceptance": false,
        }
        if raw is not None and copied is not None:
            miss, false = rates_at(copied, raw, trials.same, weights)
            told |= {"copied_miss": miss, "copied_false_acceptance": false}
        return told

    values = figures(np.ones(len(ratios))) | {"min_cllr": np.array(least_cllr(ratios, trials.same))}
    of_probe, of_enrolled = (people.circle[side] for side in (trials.probe, trials.enrolled[:, 0]))
    circles, place = np.unique([of_probe, of_enrolled], return_inverse=True)
    place = place.reshape(2, -1)
    drawn: dict[str, list[np.ndarray]] = {}
    if len(circles) >= MIN_COMPONENTS:
        rng = generator(seed, "verification", count, kind)
        for start in range(0, options.resamples, BLOCK):
            counts = resample(rng, len(circles), min(BLOCK, options.resamples - start))
            weights = counts[:, place[0]] * np.where(trials.same, 1, counts[:, place[1]])
            for figure, drawings in figures(weights).items():
                drawn.setdefault(figure, []).append(drawings)
    for figure, value in values.items():
        low, high = None, None
        if figure in drawn:
            low, high = interval(np.concatenate(drawn[figure]), options.confidence)
        yield Figure(
            name,
            count,
            kind,
            figure,
            float(value),
            low,
            high,
            targets,
            others,
            int(rows.sum() - scored.sum()),
        )
