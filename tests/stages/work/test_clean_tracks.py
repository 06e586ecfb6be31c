"""Films are read where they lie, once for all their spans, and not if they change meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.files.digest import digest_bytes
from pipeline.core.files.file_bytes import FileBytes
from pipeline.core.spans import MEDIA_TYPE, PATH, Span, digest, join
from pipeline.modalities import cleaning_of
from pipeline.modalities.text import clean as text_clean
from pipeline.modalities.video import clean as video_clean
from pipeline.modalities.video import tracks
from pipeline.parts.job import outcomes
from pipeline.parts.part import Outcome, Row
from pipeline.raw.roots import Raw
from pipeline.stages.work.clean import Source
from pipeline.stages.work.clean_tracks import CleanTracks
from tests.toy import function

SPANS = (None, Span(0, 500), Span(500, 900))


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was asked of the film, instead of which every answer is a refusal."""
    (tmp_path / "film.mp4").write_bytes(b"a film")
    (tmp_path / "words.txt").write_bytes(b"words")
    asked: list[Any] = []

    def refuse(data: Any, *of: Any) -> Any:
        asked.append(data)
        raise Rejected("no_video", "it was only asked for")

    monkeypatch.setattr(video_clean, "clean", refuse)
    monkeypatch.setattr(text_clean, "clean", refuse)
    monkeypatch.setattr(tracks, "take", refuse)
    return asked


def row(path: Path, media_type: str, span: Span | None = None) -> Row:
    data = path.read_bytes()
    source = Source(join(path.name, PATH, span), join(media_type, MEDIA_TYPE, span), None)
    of = digest(digest_bytes(data), span)
    return Row(of, of, "s", "b", len(data), spec=source)


def run(modality: str, raw: Path, *rows: Row) -> list[Outcome]:
    options = cleaning_of(modality).Options()
    work = CleanTracks(modality, options, Raw(raw, {}), function())
    return outcomes(work, work.open(), rows)


@pytest.mark.parametrize("modality", ["video", "audio", "image", "text"])
def test_all_spans_share_one_film_that_stays_where_it_lies(
    modality: str, tmp_path: Path, seen: list[Any]
) -> None:
    rows = [row(tmp_path / "film.mp4", "video/mp4", span) for span in SPANS]
    reasons = [outcome.reason for outcome in run(modality, tmp_path, *rows)]
    assert reasons == ["no_video"] * 3
    assert isinstance(seen[0], FileBytes)
    assert seen[0] is seen[1] is seen[2]


def test_small_files_are_read(tmp_path: Path, seen: list[Any]) -> None:
    run("text", tmp_path, row(tmp_path / "words.txt", "text/plain"))
    assert seen == [b"words"]


@pytest.mark.parametrize("harm", ["before", "meanwhile", "gone"])
def test_a_film_that_changes_stops_the_stage(
    harm: str, tmp_path: Path, seen: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "film.mp4"
    asked = row(path, "video/mp4")

    def change(*of: Any) -> Any:
        path.write_bytes(b"A film")
        raise Rejected("damaged", "so it seems")

    if harm == "before":
        path.write_bytes(b"A film")
    elif harm == "gone":
        path.unlink()
    else:
        monkeypatch.setattr(video_clean, "clean", change)
    with pytest.raises(PipelineError, match=r"film\.mp4.*again"):
        run("video", tmp_path, asked)
