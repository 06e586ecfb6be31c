"""What a page draws of many nights: numbers, one row a point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.monitoring.drift import Finding
from pipeline.monitoring.ledger import Look


@dataclass(frozen=True)
class EvidencePoint:
    """A look: odds for its claim, and the odds that would have been enough, as powers of ten."""

    night: str
    kind: str
    claim: str
    odds: float
    needed: float


def evidence_trend(looks: Sequence[Look]) -> list[EvidencePoint]:
    """The evidence for challengers against what was asked of it, in the order of the looks."""
    return [
        EvidencePoint(
            look.night,
            look.kind,
            look.claim,
            float(np.log10(max(look.e_value, 1e-300))),
            float(-np.log10(look.level)),
        )
        for look in looks
    ]


def drift_map(nights: Mapping[str, Sequence[Finding]]) -> tuple[list[str], np.ndarray]:
    """Subjects, those that moved most first, and float64 (subjects, nights): p as a power of ten.

    Of each subject the surest test counts; NaN where there is none. 0 is nothing, -3 one in 1000.
    """
    subjects = sorted({finding.subject for findings in nights.values() for finding in findings})
    drawn = np.full((len(subjects), len(nights)), np.nan)
    for night, findings in enumerate(nights.values()):
        for finding in findings:
            place = subjects.index(finding.subject), night
            drawn[place] = np.fmin(drawn[place], np.log10(max(finding.corrected, 1e-300)))
    order = np.argsort(np.nanmin(drawn, 1, initial=0.0), kind="stable")
    return [subjects[place] for place in order], drawn[order]
