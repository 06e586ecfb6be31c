"""The shots of a film: what each is cut from, what two people saw in it, and how it is fetched."""

from __future__ import annotations

import io
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from zipfile import ZipFile

import pytest

from pipeline.raw.folders import LocalFolder
from pipeline.sources import big_buck_bunny
from pipeline.sources.big_buck_bunny import FILM, INSIDE, OUTER, SHOTS, FetchOptions, Options, scan
from tests.sources.packages import fetch_whatever_comes, package_options

HEADER = "shot,start,end,scene,seen1,seen2,action1,action2,mood1,mood2\n"


def test_a_shot_is_a_span_that_is_seen_and_heard(tmp_path: Path) -> None:
    row = "s7,1.5,2.25,wood,bunny,bunny,calm,action,tense,tense\n"
    (tmp_path / SHOTS).write_text(HEADER + row)
    (sample,) = scan(LocalFolder(tmp_path), Options()).samples
    assert sample.assets == dict.fromkeys(("image", "audio", "video"), f"{FILM}#t=1.5,2.25")
    assert (sample.sample_id, sample.group) == ("s7", "wood")
    assert sample.targets == {"seen": "bunny", "action": None, "mood": "tense"}


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("s,2,1,wood,a,a,b,b,c,c", "bad_span"),
        ("s,,1,wood,a,a,b,b,c,c", "bad_span"),
        ("s,0,1,wood,a,a,b,b,c,c,more", "bad_row"),
    ],
)
def test_a_row_that_names_no_shot_is_refused(tmp_path: Path, cells: str, reason: str) -> None:
    (tmp_path / SHOTS).write_text(f"{HEADER}{cells}\nt,0,1,wood,a,a,b,b,c,c\n")
    scanned = scan(LocalFolder(tmp_path), Options())
    assert [refusal.reason for refusal in scanned.refused] == [reason]
    assert [sample.sample_id for sample in scanned.samples] == ["t"]


def test_a_table_of_other_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / SHOTS).write_text("shot,start\ns,0\n")
    (refusal,) = scan(LocalFolder(tmp_path), Options()).refused
    assert (refusal.reason, "mood1" in refusal.message) == ("missing_column", True)


def test_the_film_comes_out_of_the_package_in_the_package(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with ZipFile(inner, "w") as archive:
        archive.writestr(INSIDE, b"film")
        archive.writestr("moviepy_10_minutes/trailer.py", b"code")
    packages = package_options(tmp_path, {"moviepy": {OUTER: inner.getvalue()}})

    def options(tree: str) -> FetchOptions:
        return FetchOptions.model_validate({"version": "1", "tree": tree, "packages": packages})

    batch = fetch_whatever_comes(big_buck_bunny, tmp_path / "film", options)
    assert {path.name for path in batch.iterdir()} == {FILM, SHOTS}
    assert (batch / FILM).read_bytes() == b"film"


def test_the_recipes_shots_follow_each_other_and_have_all_that_is_asked() -> None:
    labels = (files("pipeline") / "recipes" / "film" / SHOTS).read_text()
    rows = [line.split(",") for line in labels.splitlines()[1:]]
    assert all(all(cells) for cells in rows)
    spans = [(float(start), float(end)) for _, start, end, *_ in rows]
    assert all(start < end <= after for (start, end), (after, _) in pairwise(spans))
    assert len({cells[0] for cells in rows}) == len(rows) == 130
