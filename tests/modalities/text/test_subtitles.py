"""Subtitles give the words of a time; what is wrong in them is healed or told."""

from __future__ import annotations

import pytest

from pipeline.core.errors import Rejected
from pipeline.core.spans import Span
from pipeline.modalities.text.clean import Options
from pipeline.modalities.text.subtitles import cues
from pipeline.modalities.text.tracks import take

SRT = b"1\n00:00:01,000 --> 00:00:02,000\nfirst\n\n2\n00:00:02,500 --> 00:00:04,000\nsecond\nline\n"
VTT = b"""WEBVTT - a title

STYLE
::cue { color: red }

NOTE nobody reads this

intro
00:01.000 --> 00:02.000 position:10% align:left
<v Ann>first</v>

00:00:02.500 --> 00:00:04.000
<c.loud>second</c>
line
"""


def words(data: bytes, start: int = 0, end: int = 10_000, **options: str) -> str:
    return take(data, "text", Span(start, end), Options(**options))[0].decode()


def reason(data: bytes, start: int = 0, end: int = 10_000) -> str:
    with pytest.raises(Rejected) as refused:
        words(data, start, end)
    return refused.value.reason


@pytest.mark.parametrize("data", [SRT, VTT, SRT.replace(b"\n", b"\r\n")])
def test_a_span_has_the_words_that_are_shown_in_it(data: bytes) -> None:
    assert take(data, "text", None, Options())[0] == b"first\nsecond\nline"
    assert words(data, 0, 2000) == "first"
    # The span's end is not in it, nor is the cue's.
    assert words(data, 1999, 2501) == "first\nsecond\nline"
    assert words(data, 2000, 2501) == "second\nline"
    assert words(data, 3999, 4000) == "second\nline"
    assert reason(data, 2000, 2500) == "absent"
    assert reason(data, 4000, 5000) == "absent"


def test_what_players_take_is_taken() -> None:
    unsorted = (
        b"2\n00:00:05,000 --> 00:00:06,000\nlater\n\n1\n00:00:01,000 --> 00:00:02,000\nsoon\n"
    )
    assert words(unsorted) == "soon\nlater"
    overlapping = b"0:01 --> 0:05\nlong\n\n0:02 --> 0:03\nshort\n"
    assert words(overlapping, 2000, 2100) == "long\nshort"
    negative = b"1\n-00:00:01,000 --> 00:00:01,000\nbefore and in\n"
    assert words(negative, 0, 500) == "before and in"
    backwards = b"1\n00:00:03,000 --> 00:00:01,000\nbackwards\n"
    assert words(backwards, 3000, 3500) == "backwards"
    assert reason(backwards, 1000, 3000) == "absent"
    crowded = b"1\n0:00:01,0 --> 0:00:02,0\none\n2\n0:00:02,0 --> 0:00:03,0\n22\n"
    assert [cue.words for cue in cues(crowded.decode())] == ["one", "22"]
    marked = rb"0:01 --> 0:02" + b"\n" + rb'{\an8}<i>slanted</i> <font color="red">and</font> 3 < 4'
    assert words(marked) == "slanted and 3 < 4"


def test_an_encoding_is_told_or_refused() -> None:
    data = "0:01 --> 0:02\nGrüße\n".encode("cp1252")
    assert reason(data) == "not_utf8"
    assert words(data, fallback="cp1252") == "Grüße"
    assert words("0:01 --> 0:02\nGrüße\n".encode("utf-16")) == "Grüße"


def test_what_are_no_subtitles_is_refused() -> None:
    assert reason(b"") == "undecodable"
    assert reason(b"#EXTM3U\n#EXTINF:10,\nhttp://example.org/a.ts\n") == "undecodable"
    assert reason(b"\0\1\2") == "binary"
    assert reason(b"0:01 --> 0:02\n\n") == "absent"
