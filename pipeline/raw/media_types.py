"""What a file is, by its first bytes where they tell, else by the end of its name.

The modalities say which files are theirs: see `pipeline.modalities.MediaType`.
"""

from __future__ import annotations

import functools
import re
from pathlib import PurePosixPath

from pipeline.core.registry import locate
from pipeline.modalities import FOLDER, MediaType, modalities, modality_of

HEAD_BYTES = 1024
UNKNOWN = "application/octet-stream"
# The brand of an ISO base media file, which may be of any modality.
BRAND = b"ftyp"
# How a file with BRAND is called whose brand says no more.
BRANDED = "any.mp4"


def by_name(path: str) -> str:
    """The media type that a name's ending promises."""
    return _by_ending().get(PurePosixPath(path).suffix.lower(), UNKNOWN)


def by_content(head: bytes, path: str) -> str:
    """The media type of a file from its first HEAD_BYTES bytes, or from its name.

    A text file called .ogg thus stays `audio/ogg`, and the audio decoder says what is wrong.
    """
    named = by_name(path)
    begun = [media_type for signature, media_type in _signatures() if signature.match(head)]
    if begun:
        return named if named in begun else begun[0]
    return by_name(BRANDED) if head[4:8] == BRAND and named not in _branded() else named


@functools.cache
def _branded() -> frozenset[str]:
    """Media types of ISO base media files, of which some have a brand that says no more."""
    return frozenset(one.name for one in _known() if BRAND in one.signature)


def modality_by_name(path: str) -> str | None:
    """The modality of which a name's ending promises a file; None if it promises nothing.

    Of several that take the same media type it is the first by name; where none does, the media
    type's own first word.
    """
    media_type = by_name(path)
    return None if media_type == UNKNOWN else modality_by_type(media_type)


def modality_by_type(media_type: str) -> str:
    """The same of a media type."""
    return _takers().get(media_type, media_type.partition("/")[0])


@functools.cache
def inline_types() -> dict[str, str]:
    """Modality → the media type of its content in a cell of a table; others have none there."""
    types = {name: modality_of(name).INLINE for name in modalities()}
    return {name: media_type for name, media_type in types.items() if media_type}


def modules() -> list[str]:
    """The modules that say what files are: what a key that depends on it is made of."""
    return [__name__, *(locate(FOLDER, name) for name in modalities())]


@functools.cache
def _known() -> tuple[MediaType, ...]:
    return tuple(one for name in modalities() for one in modality_of(name).MEDIA_TYPES)


@functools.cache
def _takers() -> dict[str, str]:
    """Media type → modality."""
    return {
        one.name: name for name in reversed(modalities()) for one in modality_of(name).MEDIA_TYPES
    }


@functools.cache
def _by_ending() -> dict[str, str]:
    """Ending → media type."""
    return {ending: one.name for one in reversed(_known()) for ending in one.endings}


@functools.cache
def _signatures() -> tuple[tuple[re.Pattern[bytes], str], ...]:
    signed = (one for one in _known() if one.signature)
    return tuple((re.compile(one.signature, re.DOTALL), one.name) for one in signed)
