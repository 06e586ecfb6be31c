"""Whether one model beats another: paired differences over components, corrected for their number.

A resample of components is met by both models, so what is common to them cancels. The p-value is
twice the smaller share of resamples on either side of 0, counting the observed one (Davison &
Hinkley 1997, Bootstrap Methods, 4.2), and Holm's step-down (1979) keeps the chance of any false
claim among all comparisons at the level that it has for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.models.evaluation.bootstrap import interval
from pipeline.models.evaluation.scorer import BootstrapScore


@dataclass(frozen=True)
class PairedDifference:
    """Score of `model` less that of `other`, with its interval and p-values."""

    model: str
    other: str
    value: float
    low: float
    high: float
    p: float
    corrected: float


def paired_differences(
    scores: Mapping[str, BootstrapScore], pairs: Sequence[tuple[str, str]], confidence: float
) -> list[PairedDifference]:
    """One row per pair, in their order."""
    drawn = [scores[model].drawn - scores[other].drawn for model, other in pairs]
    tails = [min((d <= 0).sum(), (d >= 0).sum()) for d in drawn]
    raw = [min(1.0, 2 * (tail + 1) / (len(d) + 1)) for tail, d in zip(tails, drawn, strict=True)]
    return [
        PairedDifference(
            model,
            other,
            scores[model].value - scores[other].value,
            *interval(np.asarray(d), confidence),
            p,
            corrected,
        )
        for (model, other), d, p, corrected in zip(pairs, drawn, raw, holm(raw), strict=True)
    ]


def holm(values: Sequence[float]) -> list[float]:
    """p-values corrected by Holm's step-down, in the order given."""
    order = sorted(range(len(values)), key=values.__getitem__)
    corrected, worst = [0.0] * len(values), 0.0
    for rank, i in enumerate(order):
        worst = max(worst, min(1.0, (len(values) - rank) * values[i]))
        corrected[i] = worst
    return corrected
