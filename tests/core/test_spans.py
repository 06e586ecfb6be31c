"""Spans are written behind names and read back, and what only looks like one is a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.spans import MEDIA_TYPE, PATH, Span, digest, join, milliseconds, split

TIMES = st.integers(0, 10**9)
MARKS = st.sampled_from([PATH, MEDIA_TYPE])


@given(name=st.text(min_size=1), start=TIMES, length=st.integers(1, 10**9), mark=MARKS)
def test_a_span_is_read_as_it_was_written(name: str, start: int, length: int, mark: str) -> None:
    span = Span(start, start + length)
    assert split(join(name, mark, span), mark) == (name, span)


def test_it_is_written_as_media_fragments_have_it() -> None:
    assert join("a/film.mp4", PATH, Span(0, 12_500)) == "a/film.mp4#t=0,12.5"
    assert join("video/mp4", MEDIA_TYPE, Span(1, 2000)) == "video/mp4;t=0.001,2"
    assert join("film.mp4", PATH, None) == "film.mp4"


@pytest.mark.parametrize("name", ["a.mp4", "a#t=1", "a#t=1,b", "a;t=1,2", "#t=1,2", "a#t=2,2"])
def test_another_name_stays_as_it_is(name: str) -> None:
    assert split(name, PATH) == (name, None)


def test_seconds_are_rounded_to_milliseconds_halves_up() -> None:
    cells = ("2", " 2.5", "0.0005", "0.00049", "1e1")
    assert [milliseconds(cell) for cell in cells] == [2000, 2500, 1, 0, 10_000]
    for wrong in ("", "two", "nan", "inf", "1e99"):
        with pytest.raises(ValueError, match=r"number of seconds|time in a file"):
            milliseconds(wrong)


def test_each_span_of_a_file_has_a_digest_of_its_own() -> None:
    whole = "0" * 64
    assert digest(whole, None) == whole
    assert len({whole, digest(whole, Span(0, 1)), digest(whole, Span(0, 2))}) == 3
