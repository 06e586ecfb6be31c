"""Pieces of content, each made ready for a page by its modality (`show.py` of its folder)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.core.media_card import CardOptions, MediaCard
from pipeline.modalities import content_of, has_part, part, showing_of
from pipeline.reporting.inputs import ReportInputs


def modules(modalities: Iterable[str]) -> list[str]:
    """The modules that unpack these modalities and draw them; not all can be drawn."""
    return [
        part(modality, name)
        for modality in modalities
        for name in ("content", "show", "strip")
        if has_part(modality, name)
    ]


def make_card(modality: str, content: Any, options: CardOptions) -> MediaCard | None:
    """Content of a modality, or None if there is no way to show it."""
    showing = showing_of(modality)
    return showing.show(content, options) if showing else None


def unpack_contents(inputs: ReportInputs, modality: str, digests: Iterable[str]) -> dict[str, Any]:
    """Digest → cleaned content, for those assets that cleaning passed."""
    unpack = content_of(modality).unpack
    packed = inputs.assets(modality, set(digests))
    return {digest: unpack(data, shape) for digest, (data, shape) in sorted(packed.items())}
