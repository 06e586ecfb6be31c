"""A film that is read where it lies comes out as it does from memory, whole or broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.core import once_a_file
from pipeline.core.errors import Rejected
from pipeline.core.files.file_bytes import Bytes, FileBytes
from pipeline.core.spans import Span
from pipeline.modalities import cleaning_of
from pipeline.modalities.video import segments, tracks
from pipeline.modalities.video.clean import Options, clean
from pipeline.modalities.video.examples import animation, film, moving
from tests.modalities.video import known

pytest.importorskip("av")

KINDS: dict[str, Callable[[], bytes]] = {
    "mp4": lambda: known.film(1, "mp4", "aac"),
    "mov": lambda: film(moving(6), "mov"),
    "matroska": lambda: known.film(1, words=True),
    "avi": lambda: film(moving(6), "avi", "mpeg4"),
    "mpeg": lambda: film(moving(6), "mpeg", "mpeg2video"),
    "mpegts": lambda: known.film(1, "mpegts", "mp2"),
    "ogg": Path(__file__).with_name("numbered.ogv").read_bytes,
    "gif": lambda: animation(".gif", moving(6)),
    "webp": lambda: animation(".webp", moving(6)),
}


def outcome(function: Callable[..., Any], *of: Any) -> Any:
    try:
        return function(*of)
    except Rejected as rejected:
        return rejected.reason, rejected.message


def all_outcomes(data: Bytes) -> list[Any]:
    """What is made of a film: pictures, tracks, spans."""
    options = [(name, cleaning_of(name).Options()) for name in sorted(tracks.GIVES)]
    return [
        outcome(clean, data, "", Options(every_ms=100, letterbox="cut")),
        *(
            outcome(tracks.take, data, name, span, each)
            for name, each in options
            for span in (None, Span(100, 400))
        ),
        outcome(segments.windows, data, 300, 100),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_film_where_it_lies_is_the_one_in_memory(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = KINDS[kind]()
    for data in (whole, whole[: len(whole) // 2], whole[:30], whole + bytes(70_000), b""):
        path = tmp_path / "film"
        path.write_bytes(data)
        monkeypatch.setattr(once_a_file, "_results", {})
        expected = all_outcomes(data)
        monkeypatch.setattr(once_a_file, "_results", {})
        in_place = FileBytes(path)
        with in_place.unchanged():
            assert all_outcomes(in_place) == expected
        # The first of all is of a film, and not of refusals alike.
        assert data is not whole or not isinstance(expected[0][0], str)
