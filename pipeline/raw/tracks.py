"""Files that hold other modalities beside their own, or have a time of which a span is taken.

A modality of such files, as of films, has a part `tracks`: see `Tracks`. What is asked of each row
of a table is looked up once.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Protocol

from pipeline.core.registry import load
from pipeline.core.spans import Span
from pipeline.modalities import FOLDER, cleaning_of, has_part, modalities, modality_of
from pipeline.raw.media_types import modality_by_type

PART = "tracks"


class Tracks(Protocol):
    """What a modality's files hold; with `IN_PLACE` as a `Cleaning` may have it.

    Attributes
    ----------
    MEDIA_TYPES:
        The kinds of file that are read.
    GIVES:
        The modalities that are taken out of them.
    """

    @property
    def MEDIA_TYPES(self) -> frozenset[str]: ...

    @property
    def GIVES(self) -> frozenset[str]: ...

    def parameters(self) -> Mapping[str, str]:
        """What changes the bytes beside the code, such as the version of a library."""

    def take(
        self, data: Any, modality: str, span: Span | None, options: Any
    ) -> tuple[bytes, Mapping[str, float]]:
        """A file of the modality, for its cleaning with these options; Rejected, nothing else.

        With it what was measured on the way, under names of the modality's MEASUREMENTS: it
        replaces what cleaning the taken file measures.
        """


@functools.cache
def tracks_in(media_type: str) -> Tracks | None:
    """What reads files of that kind; None where they hold themselves alone."""
    holder = modality_by_type(media_type)
    if holder not in modalities() or not has_part(holder, PART):
        return None
    tracks = load(f"{FOLDER}/{holder}", PART, Tracks)
    return tracks if media_type in tracks.MEDIA_TYPES else None


def tracks_with(modality: str, media_type: str) -> Tracks | None:
    """What takes a modality out of files of that kind; None where they hold none of it."""
    tracks = tracks_in(media_type)
    return tracks if tracks and modality in tracks.GIVES else None


@functools.cache
def endings_with(modality: str) -> list[str]:
    """How files of that modality end out of which it is taken, such as those of subtitles."""
    return [
        ending
        for one in modality_of(modality).MEDIA_TYPES
        if tracks_with(modality, one.name)
        for ending in one.endings
    ]


def given(holder: str) -> list[str]:
    """The modalities that are taken out of files of that modality, sorted."""
    if holder not in modalities() or not has_part(holder, PART):
        return []
    return sorted(load(f"{FOLDER}/{holder}", PART, Tracks).GIVES)


@functools.cache
def takes_spans(modality: str) -> bool:
    """Whether a modality's own cleaning takes a span of a file."""
    return bool(getattr(cleaning_of(modality), "SPANS", False))


def reads_in_place(modality: str, media_type: str) -> bool:
    """Whether what makes a modality of files of that kind need not have their bytes in memory."""
    reader = tracks_with(modality, media_type) or cleaning_of(modality)
    return bool(getattr(reader, "IN_PLACE", False))
