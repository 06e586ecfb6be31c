"""The benchmark of films, on one of two seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.parity import ParityError
from benchmarks.video import table

pytest.importorskip("av")

from benchmarks.video import clips, contenders, run


def put(path: Path, pictures: contenders.Pictures) -> Path:
    times, images = zip(*pictures, strict=True)
    np.savez(path, times=times, pictures=images)
    return path


def test_ways_give_the_same_pictures_or_are_not_timed(tmp_path: Path) -> None:
    film = clips.put_uneven(2, tmp_path / "uneven.mp4")
    moments = range(0, run.survey_of(film).duration, contenders.EVERY_MS)
    ours = [*contenders.ours(film, moments)]
    assert len(ours) == 5
    expected = put(tmp_path / "ours.npz", ours)
    for way in ("ours_cleaned", "pyav", "opencv_read", "opencv_grab"):
        made = put(tmp_path / f"{way}.npz", contenders.WAYS[way](film, moments))
        run.check_parity(way, expected, made)
    late = put(tmp_path / "late.npz", [(time + 1, image) for time, image in ours])
    with pytest.raises(ParityError, match="of other times"):
        run.check_parity("opencv_read", expected, late)
    pale = put(tmp_path / "pale.npz", [(time, image // 2) for time, image in ours])
    with pytest.raises(ParityError, match="grey levels off"):
        run.check_parity("opencv_read", expected, pale)


def test_a_stretch_is_cut_from_a_key_and_not_encoded(tmp_path: Path) -> None:
    film = clips.put_uneven(2, tmp_path / "uneven.mp4")
    piece = clips.cut(film, 0.5, 1.0, tmp_path / "piece.mp4")
    survey = run.survey_of(piece)
    assert survey.keys == (0,)
    assert 1000 <= survey.duration <= 1200
    (_, first), (_, whole) = (next(iter(contenders.ours(path, range(1)))) for path in (piece, film))
    assert np.array_equal(first, whole)


def test_the_page_says_what_is_missed(tmp_path: Path) -> None:
    ways = dict.fromkeys(table.TITLES, 2.0)
    results: dict[str, Any] = {
        "seconds": {"bunny": 30},
        "rounds": 3,
        "cpu_s": {"bunny": {**ways, "ours": 1.0, "decord": 1.5}},
        "memory": {
            "one": {"peak_mb": 100, "file_mb": 5.0},
            "ten": {"peak_mb": 150, "file_mb": 50.0},
        },
        "films": {
            "count": 100, "more": 1, "seconds": 5,
            "whole": {"clean video": 20.0}, "added": {"clean video": 1.3},
        },
    }  # fmt: skip
    page = tmp_path / "page.md"
    page.write_text(f"before\n{table.BEGIN}\nyesterday\n{table.END}\nafter\n")
    table.update(page, results)
    told = page.read_text()
    assert "yesterday" not in told
    assert told.endswith("after\n")
    assert {check.what for check in table.checks(results) if not check.met} == {
        "Big Buck Bunny: decord ÷ ours",
        "memory, 10 minutes ÷ 1 minute",
    }
