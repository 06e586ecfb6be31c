"""A table of spans is of films as they are, or there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.files.file_bytes import Bytes
from pipeline.core.spans import Span
from pipeline.project.segments import Segments, write_segments

pytest.importorskip("av")


def test_a_film_that_is_still_being_copied_gives_no_spans(tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    film.write_bytes(b"its first half")

    def cut(segments: Segments, data: Bytes) -> list[Span]:
        with film.open("ab") as file:
            file.write(b", and its second")
        return [Span(0, 1000)]

    out = tmp_path / "metadata.csv"
    with pytest.raises(PipelineError, match=r"film\.mkv changed while it was read"):
        write_segments(tmp_path, cut, out)
    assert not out.exists()
