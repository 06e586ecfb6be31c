"""The page of a verification: its sections, each drawn by a template."""

from __future__ import annotations

from pathlib import Path

from pipeline.reporting.section import Section, render_page
from pipeline.reporting.verification import sections
from pipeline.reporting.verification.sections import VerificationData

SECTIONS = (
    Section("systems", "Systems", sections.systems),
    Section("det", "Curves", sections.curves),
    Section("threshold", "Threshold", sections.threshold),
    Section("people", "People", sections.people),
    Section("protocol", "Protocol", sections.protocol),
)


def render_verification(name: str, folder: Path) -> str:
    """The whole page as HTML: a pure function of what the folder holds."""
    data = VerificationData(name, folder)
    return render_page("verification", sections.summary(data), SECTIONS, data)
