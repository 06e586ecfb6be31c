"""Subtitles, SubRip and WebVTT, → the words that are shown in a span of a film's time.

What players take, this takes: times out of order, that overlap or lie before the beginning, blank
lines that are missing, marks of layout. A cue that ends before it begins is shown where it begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from pipeline.core.errors import Rejected
from pipeline.core.spans import Span

_TIME = r"(-?)\s*(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,3}))?"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}")
# Letters of a line in which times are looked for, since blanks may be without end.
HEAD = 100
# Tags of HTML and WebVTT, and blocks of SubStation Alpha, which SubRip's files have too.
_MARKS = re.compile(r"<[^<>]{0,200}>|\{\\[^{}]{0,200}\}")


class Cue(NamedTuple):
    """Words, and when they are shown, in ms from the film's beginning."""

    start: int
    end: int
    words: str


def cues(text: str) -> list[Cue]:
    """Those of a file, in its order.

    Raises
    ------
    Rejected
        `undecodable`: it has none, so that it is no file of subtitles.
    """
    lines = text.splitlines()
    timed = [
        (place, match) for place, line in enumerate(lines) if (match := _TIMES.match(line[:HEAD]))
    ]
    if not timed:
        raise Rejected("undecodable", "the file holds no subtitles of SubRip or WebVTT")
    ends = [place for place, _ in timed[1:]] + [len(lines)]
    read = []
    for (place, match), end in zip(timed, ends, strict=True):
        shown = lines[place + 1 : end]
        blank = next((at for at, line in enumerate(shown) if not line.strip()), None)
        if blank is None and end < len(lines) and shown and shown[-1].strip().isdecimal():
            blank = len(shown) - 1  # the next one's number
        fields = match.groups()
        read.append(Cue(_ms(*fields[:5]), _ms(*fields[5:]), "\n".join(shown[:blank])))
    return read


def words(shown: Iterable[Cue], span: Span | None) -> str:
    """What can be read at some time of the span, or at any, without marks, as it begins in time.

    Raises
    ------
    Rejected
        `absent`: nothing is said then.
    """
    said = [
        text
        for cue in sorted(shown, key=lambda cue: cue[:2])
        if span is None or is_shown(cue, span)
        if (text := _MARKS.sub("", cue.words).strip())
    ]
    if not said:
        raise Rejected("absent", "it has no words" + (" at that time" if span else ""))
    return "\n".join(said)


def is_shown(cue: Cue, span: Span) -> bool:
    """Whether it can be read at some time of the span."""
    return cue.start < span.end and max(cue.end, cue.start + 1) > span.start


def _ms(sign: str, hours: str | None, minutes: str, seconds: str, rest: str | None) -> int:
    whole = 3600 * int(hours or 0) + 60 * int(minutes) + int(seconds)
    return (-1 if sign else 1) * (1000 * whole + int((rest or "0").ljust(3, "0")))
