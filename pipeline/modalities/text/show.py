"""Words, as they are."""

from __future__ import annotations

from pipeline.core.media_card import CardOptions, MediaCard

LONGEST = 180


def show(content: str, options: CardOptions) -> MediaCard:
    """A string, cut after LONGEST characters."""
    return MediaCard(words=_shortened(content), caption=f"{len(content)} characters")


def _shortened(content: str) -> str:
    return content if len(content) <= LONGEST else f"{content[: LONGEST - 1].rstrip()}…"
