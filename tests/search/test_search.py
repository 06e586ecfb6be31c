"""Search by words, by picture and by sound on a project that has run."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import PipelineError
from pipeline.search.contents import read_contents
from pipeline.search.hits import search_samples
from pipeline.search.page import sheet
from pipeline.search.question import question
from pipeline.store import Store, open_store
from tests.dataset import picture, sound

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def store(project: Path) -> Store:
    return open_store(project)


def sample(store: Store, name: str) -> dict[str, object]:
    rows = store.samples().to_pylist()
    (result,) = (row for row in rows if str(row["sample_id"]).endswith(f"/{name}"))
    return result


@pytest.mark.parametrize(
    ("name", "modality", "suffix", "made"),
    [("colour_hog", "image", ".png", picture), ("mfcc", "audio", ".wav", sound)],
)
def test_a_file_finds_the_sample_that_it_is_of(
    store: Store, tmp_path: Path, name: str, modality: str, suffix: str, made: object
) -> None:
    path = tmp_path / f"mine{suffix}"
    path.write_bytes(made("circle", 3))  # type: ignore[operator]
    asked = question(store, name, str(path))
    own = sample(store, "circle-3")
    assert asked.modality == modality
    assert np.array_equal(asked.query, store[name].get(str(own["sample_id"]))[0])
    best, *_ = search_samples(store, name, asked.query, 5)
    assert best.sample_id == own["sample_id"]
    assert best.score == 1.0
    assert best.digests["image"] == own["image"]


def test_words_end_in_pictures(store: Store) -> None:
    asked = question(store, "hashing", "  a bright  cross cross-3 ")
    assert asked.content == "a bright cross cross-3"
    result = search_samples(store, "hashing", asked.query, 4, each="image")
    assert len({hit.digests["image"] for hit in result}) == 4
    assert result[0].sample_id == sample(store, "cross-3")["sample_id"]


def test_an_id_asks_for_others_like_it(store: Store) -> None:
    own = sample(store, "square-2")
    by_sample = question(store, "colour_hog", str(own["sample_id"]))
    by_digest = question(store, "colour_hog", str(own["image"]))
    assert by_sample.content.shape == (48, 64, 3)
    assert np.array_equal(by_sample.content, by_digest.content)
    result = search_samples(store, "colour_hog", by_sample.query, 5)
    assert result == search_samples(store, "colour_hog", by_digest.query, 5)
    assert own["sample_id"] not in {hit.sample_id for hit in result}


def test_contents_are_those_that_cleaning_kept(store: Store) -> None:
    own = sample(store, "square-2")
    result = read_contents(store.tree, "text", {str(own["text"]), "0" * 64})
    assert result == {own["text"]: "a crossed square square-2"}
    assert read_contents(store.tree, "smell", {"0" * 64}) == {}


def test_a_question_that_cannot_be_understood_is_told(store: Store, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"'a fish' is no file.*describes image"):
        question(store, "colour_hog", "a fish")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(PipelineError, match="is refused as"):
        question(store, "colour_hog", str(tmp_path / "bad.png"))
    with pytest.raises(PipelineError, match="is refused as empty"):
        question(store, "hashing", " ")
    lacking = next(row for row in store.samples().to_pylist() if row["audio"] is None)
    with pytest.raises(PipelineError, match="has no row in mfcc"):
        question(store, "mfcc", lacking["sample_id"])


def test_the_sheet_shows_what_was_asked_and_found(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "<b>mine.wav"
    path.write_bytes(sound("circle", 3))
    asked = question(store, "mfcc", str(path))
    result = search_samples(store, "mfcc", asked.query, 6, each="image")
    page = sheet(store, "mfcc", asked, result, "split = 'train'")
    assert page == sheet(store, "mfcc", asked, result, "split = 'train'")
    assert "Nearest by audio" in page
    assert "&lt;b&gt;mine.wav" in page
    assert "<b>mine" not in page
    assert page.count("data:image/webp") == 6
    sounds = sum("audio" in hit.digests for hit in result)
    assert page.count("data:audio/mpeg") == sounds + 1
    assert "split = &#39;train&#39;" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    for hit in result:
        assert hit.sample_id in page
    empty = sheet(store, "mfcc", asked, [])
    assert "Nothing was found" in empty
