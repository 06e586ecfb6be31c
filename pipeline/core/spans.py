"""Stretches of a file's time, [start, end) in ms, written behind the name of what they are cut of.

A path has them as the W3C's Media Fragments 1.0 do, in seconds: `film.mp4#t=2,4.5`. A media type
has them as a parameter: `video/mp4;t=2,4.5`. So they go wherever a path or a media type goes.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import NamedTuple

from pipeline.core.files.digest import digest_json

PATH, MEDIA_TYPE = "#", ";"
_NUMBER = r"(\d{1,9}(?:\.\d{1,3})?)"
_WRITTEN = re.compile(rf"(.+)([#;])t={_NUMBER},{_NUMBER}", re.DOTALL | re.ASCII)
# Seconds; a file of a longer time is none.
LONGEST = 10**9


class Span(NamedTuple):
    """From `start` on, until just before `end`, in ms."""

    start: int
    end: int


def join(name: str, mark: str, span: Span | None) -> str:
    """The name with its span, if it has one; `mark` is PATH or MEDIA_TYPE."""
    if span is None:
        return name
    start, end = (f"{Decimal(time) / 1000:f}" for time in span)
    return f"{name}{mark}t={start},{end}"


def split(name: str, mark: str) -> tuple[str, Span | None]:
    """The inverse of `join`; a span that would end before it begins is a part of the name."""
    match = _WRITTEN.fullmatch(name)
    if match is None or match[2] != mark:
        return name, None
    span = Span(milliseconds(match[3]), milliseconds(match[4]))
    return (match[1], span) if span.start < span.end else (name, None)


def milliseconds(seconds: str) -> int:
    """Seconds, as they are written, in whole ms, halves up; ValueError if they are none."""
    try:
        number = Decimal(seconds.strip())
    except InvalidOperation:
        raise ValueError(f"'{seconds[:40]}' is no number of seconds") from None
    if not number.is_finite() or abs(number) >= LONGEST:
        raise ValueError(f"'{seconds[:40]}' is no time in a file")
    return int((1000 * number).to_integral_value(ROUND_HALF_UP))


def digest(of: str, span: Span | None) -> str:
    """What a span is known by, from the digest of the file's bytes; without one, that itself."""
    return of if span is None else digest_json([of, *span])


def clock(ms: int) -> str:
    """As players show it: hours if there are any, minutes, seconds and tenths, `1:02:03.4`."""
    seconds, rest = divmod(ms, 1000)
    hours, minutes = divmod(seconds // 60, 60)
    of_hours = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{of_hours}:{seconds % 60:02}.{rest // 100}"


def evenly(count: int, most: int) -> list[int]:
    """Places of at most `most` of `count`, from the middles of equal stretches."""
    if count <= most:
        return list(range(count))
    return [(2 * place + 1) * count // (2 * most) for place in range(most)]
