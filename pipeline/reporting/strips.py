"""Content along a time axis, drawn by its modality (`strip.py` of its folder)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from pipeline.core import registry
from pipeline.core.media_card import Strip
from pipeline.core.spans import Span, evenly
from pipeline.modalities import FOLDER, has_part
from pipeline.reporting.content import unpack_contents
from pipeline.reporting.inputs import ReportInputs


class Stripping(Protocol):
    """How pieces of content look side by side on one time axis.

    Attributes
    ----------
    PIECES:
        How many of them are looked at: those at the middles of so many equal stretches of time;
        None: all.
    """

    @property
    def PIECES(self) -> int | None: ...

    def strip(self, pieces: Iterable[tuple[Span, Any]], duration: int) -> Strip | None:
        """Pieces with their place in [0, duration) ms as one strip; None if nothing is there."""


def strips_of(
    inputs: ReportInputs, pieces: Mapping[str, Span], duration: int
) -> Iterator[tuple[str, Strip]]:
    """(modality, its strip) of what is cut of one film.

    Parameters
    ----------
    pieces:
        Sample id → where it stands in the film.
    duration:
        Of the axis, in ms.
    """
    for modality in inputs.modalities:
        if not has_part(modality, "strip"):
            continue
        stripping = registry.load(f"{FOLDER}/{modality}", "strip", Stripping)
        # The same content may stand in more than one place, as a jingle does.
        places: dict[str, list[Span]] = {}
        for sample, span in pieces.items():
            digest = inputs.by_id[sample].get(modality)
            if digest and _counts(span, stripping, duration):
                places.setdefault(digest, []).append(span)
        contents = unpack_contents(inputs, modality, places)
        placed = (
            (span, contents[d]) for d, spans in places.items() if d in contents for span in spans
        )
        drawn = stripping.strip(placed, duration)
        if drawn is not None:
            yield modality, drawn


def _counts(span: Span, stripping: Stripping, duration: int) -> bool:
    """Whether a piece is one of those that are looked at."""
    if stripping.PIECES is None:
        return True
    middles = evenly(duration, stripping.PIECES)
    return any(span.start <= middle < span.end for middle in middles)
