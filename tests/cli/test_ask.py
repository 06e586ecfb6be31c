"""Searching and tracing from the command line, on a project whose graph has run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from pipeline.cli.main import app
from pipeline.store import open_store

pytestmark = pytest.mark.slow


@pytest.fixture
def here(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    return project


def store(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["store", *arguments])


def records(done: Result) -> list[dict[str, Any]]:
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_words_find_samples_and_draw_a_page(here: Path, tmp_path: Path) -> None:
    samples = open_store(here).samples().to_pylist()
    known = {one["sample_id"] for one in samples}
    page = tmp_path / "found.html"
    asked = ("search", "hashing", "round", "-k", "3", "--each", "image", "--sheet", str(page))
    found = records(store(*asked, "--json"))
    assert len(found) == 3
    assert {one["sample"] for one in found} <= known
    assert len({one["digests"]["image"] for one in found}) == 3
    assert [one["score"] for one in found] == sorted((o["score"] for o in found), reverse=True)
    text = page.read_text()
    assert text.count("data:image/") >= 3
    assert "http://" not in text.replace("http://www.w3.org", "")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("nowhere/x.html", "there is no folder"),
        ("data/x.html", "where stages alone write"),
        ("params.yaml", "--force replaces it"),
    ],
)
def test_a_page_that_cannot_be_written_is_told_before_the_search(
    here: Path, monkeypatch: pytest.MonkeyPatch, path: str, says: str
) -> None:
    before = Path("params.yaml").read_bytes()
    monkeypatch.setattr("pipeline.search.question.question", None)
    done = store("search", "hashing", "round", "--sheet", path)
    assert done.exit_code == 1
    assert says in done.output
    assert Path("params.yaml").read_bytes() == before


def test_words_longer_than_a_file_s_name_are_no_file(here: Path) -> None:
    done = store("search", "colour_hog", "a fish " * 50)
    assert done.exit_code == 1
    assert "is no file" in done.output


def test_a_picture_finds_itself(here: Path) -> None:
    traced = open_store(here)
    one = traced.sql("SELECT sample_id FROM samples WHERE image IS NOT NULL ORDER BY 1 LIMIT 1")
    sample = one["sample_id"][0].as_py()
    locator = traced.trace(sample)["modalities"]["image"]["asset"]["locator"]
    (best, *_) = records(
        store("search", "colour_hog", str(here / "data" / "raw" / locator), "-k", "1", "--json")
    )
    assert best["score"] == pytest.approx(1.0, abs=1e-4)


def test_words_are_not_asked_of_pictures(here: Path) -> None:
    done = store("search", "colour_hog", "a fish")
    assert done.exit_code == 1
    assert "is no file" in done.output


def test_a_trace_is_told_and_verified(here: Path) -> None:
    sample = open_store(here).sql("SELECT sample_id FROM predictions ORDER BY 1 LIMIT 1")
    name = sample["sample_id"][0].as_py()
    (found,) = records(store("trace", name, "--verify", "--json"))
    assert found["sample"]["sample_id"] == name
    assert found["verified"]
    assert all(one["equal"] for one in found["verified"].values())
    lines = store("trace", name).stdout.splitlines()
    assert lines[0] == "name\tvalue"
    assert any(line.startswith("modalities.") and ".asset.locator\t" in line for line in lines)


def test_what_cannot_be_traced_is_told(here: Path) -> None:
    done = store("trace", "nobody")
    assert done.exit_code == 1
    assert "has no sample 'nobody'" in done.output
    done = store("trace", "nobody", "--verify", "--rev", "HEAD")
    assert done.exit_code == 1
    assert "leave out --rev" in done.output
