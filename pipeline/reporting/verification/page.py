"""The page of a verification: its sections, each drawn by a template."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.reporting.inputs import Absent
from pipeline.reporting.page_assets import TEMPLATES, jinja_environment, style_and_script
from pipeline.reporting.verification import sections
from pipeline.reporting.verification.sections import VerificationData

HERE = TEMPLATES / "verification"


@dataclass(frozen=True)
class VerificationSection:
    """One part of the page, drawn by templates/verification/<anchor>.html."""

    anchor: str
    title: str
    build: Callable[[VerificationData], dict[str, Any] | Absent]


SECTIONS = (
    VerificationSection("systems", "Systems", sections.systems),
    VerificationSection("det", "Curves", sections.curves),
    VerificationSection("threshold", "Threshold", sections.threshold),
    VerificationSection("people", "People", sections.people),
    VerificationSection("protocol", "Protocol", sections.protocol),
)


def verification_templates() -> list[Path]:
    """The files beside the code that shape the page, and so belong to its key."""
    shared = [TEMPLATES / name for name in ("page.html", "macros.html", "style.css", "script.js")]
    return [*shared, *sorted(HERE.iterdir())]


def render_verification(name: str, folder: Path) -> str:
    """The whole page as HTML: a pure function of what the folder holds."""
    data = VerificationData(name, folder)
    built = [(section, section.build(data)) for section in SECTIONS]
    return (
        jinja_environment(HERE, TEMPLATES)
        .get_template("verification.html")
        .render(
            opening=sections.summary(data),
            sections=[(s, each) for s, each in built if not isinstance(each, Absent)],
            left_out=[(s, each.note) for s, each in built if isinstance(each, Absent)],
            **style_and_script(HERE / "verification.css"),
        )
    )
