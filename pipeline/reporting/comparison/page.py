"""The page of the comparison: its sections, each drawn by a template."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.reporting.comparison import sections
from pipeline.reporting.comparison.data import ComparisonData
from pipeline.reporting.inputs import Absent
from pipeline.reporting.page_assets import TEMPLATES, jinja_environment, style_and_script

HERE = TEMPLATES / "comparison"


@dataclass(frozen=True)
class ComparisonSection:
    """One part of the page, drawn by templates/comparison/<anchor>.html."""

    anchor: str
    title: str
    build: Callable[[ComparisonData], dict[str, Any] | Absent]


SECTIONS = (
    ComparisonSection("leaderboard", "Leaderboard", sections.leaderboard),
    ComparisonSection("differences", "Differences", sections.differences),
    ComparisonSection("missing", "Missing", sections.missing),
    ComparisonSection("choices", "Choices", sections.choices),
    ComparisonSection("classes", "Classes", sections.classes),
    ComparisonSection("labels", "Labels", sections.labels),
    ComparisonSection("probe", "Leak probe", sections.probe),
    ComparisonSection("words", "Words", sections.words),
)


def comparison_templates() -> list[Path]:
    """The files beside the code that shape the page, and so belong to its key."""
    shared = [TEMPLATES / name for name in ("page.html", "macros.html", "style.css", "script.js")]
    return [*shared, *sorted(HERE.iterdir())]


def render_comparison(data: ComparisonData) -> str:
    """The whole page as HTML: a pure function of what it is given."""
    built = [(section, section.build(data)) for section in SECTIONS]
    return (
        jinja_environment(HERE, TEMPLATES)
        .get_template("comparison.html")
        .render(
            opening=sections.summary(data),
            sections=[
                (s, section_data)
                for s, section_data in built
                if not isinstance(section_data, Absent)
            ],
            left_out=[
                (s, section_data.note)
                for s, section_data in built
                if isinstance(section_data, Absent)
            ],
            **style_and_script(HERE / "comparison.css"),
        )
    )
