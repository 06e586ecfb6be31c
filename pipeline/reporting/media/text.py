"""Words, as they are."""

from __future__ import annotations

from pipeline.reporting.content import MediaCard
from pipeline.reporting.format import shortened
from pipeline.reporting.options import ReportOptions

LONGEST = 180


def show(content: str, options: ReportOptions) -> MediaCard:
    """A string, cut after LONGEST characters."""
    return MediaCard(words=shortened(content, LONGEST), caption=f"{len(content)} characters")
