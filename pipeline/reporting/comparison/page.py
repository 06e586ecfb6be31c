"""The page of the comparison: its sections, each drawn by a template."""

from __future__ import annotations

from pipeline.reporting.comparison import sections
from pipeline.reporting.comparison.data import ComparisonData
from pipeline.reporting.section import Section, render_page

SECTIONS = (
    Section("leaderboard", "Leaderboard", sections.leaderboard),
    Section("differences", "Differences", sections.differences),
    Section("missing", "Missing", sections.missing),
    Section("choices", "Choices", sections.choices),
    Section("classes", "Classes", sections.classes),
    Section("labels", "Labels", sections.labels),
    Section("probe", "Leak probe", sections.probe),
    Section("words", "Words", sections.words),
)


def render_comparison(data: ComparisonData) -> str:
    """The whole page as HTML: a pure function of what it is given."""
    return render_page("comparison", sections.summary(data), SECTIONS, data)
