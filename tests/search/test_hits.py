from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipeline.core.errors import PipelineError
from pipeline.search.hits import search_samples
from pipeline.store import Store, open_store
from tests.stages.plans.stored import asset
from tests.store.small import COUNT, SETS, picture, small

__all__ = ["small"]


@pytest.fixture
def store(small: Path) -> Store:
    params = yaml.safe_load((small / "params.yaml").read_text())
    (small / "params.yaml").write_text(
        yaml.safe_dump({**params, "modalities": list(SETS.values())})
    )
    return open_store(small)


def test_samples_are_found_by_what_they_show(store: Store) -> None:
    best, *others = search_samples(store, "look", picture(7), 3)
    assert (best.sample_id, best.score) == ("s/07", 1.0)
    assert best.digests == {"image": asset("image", "7"), "audio": asset("audio", "7")}
    assert best.targets == {"category": "b", "size": 7.0}
    near = store["look"].nearest(picture(7), 3)
    assert [hit.digests["image"] for hit in others] == near.digests[1:]
    assert [hit.score for hit in others] == near.scores[1:].tolist()


def test_what_a_sample_lacks_is_left_out(store: Store) -> None:
    (hit,) = search_samples(store, "look", picture(12), 1)
    assert hit.digests == {"image": asset("image", "12")}
    assert hit.targets == {"category": "a"}


def test_samples_of_one_picture_are_all_found_or_the_first_alone(store: Store) -> None:
    assert [hit.sample_id for hit in search_samples(store, "look", picture(1), 2)] == [
        "s/00",
        "s/01",
    ]
    each = search_samples(store, "look", picture(1), COUNT, each="image")
    assert len(each) == len({hit.digests["image"] for hit in each}) == COUNT - 1
    assert each[0].sample_id == "s/00"
    sounds = search_samples(store, "look", picture(1), COUNT, each="audio")
    assert len(sounds) == len({hit.digests["audio"] for hit in sounds}) == COUNT * 2 // 3


def test_an_id_leaves_its_own_picture_out(store: Store) -> None:
    result = search_samples(store, "look", "s/01", COUNT)
    assert {"s/00", "s/01"}.isdisjoint(hit.sample_id for hit in result)
    assert len(result) == COUNT - 2


def test_where_is_asked_of_the_samples(store: Store) -> None:
    result = search_samples(store, "look", picture(1), COUNT, "target.category = 'b'")
    assert result[0].sample_id == "s/01"
    assert [hit.targets["category"] for hit in result] == ["b"] * (COUNT // 2)
    assert search_samples(store, "look", picture(1), 3, "split = 'nowhere'") == []


def test_where_is_asked_of_the_set_too(store: Store) -> None:
    (hit,) = search_samples(
        store, "look", picture(7), 1, "view = 0 AND length = 1 AND split = 'test'"
    )
    assert hit.sample_id == "s/07"
    assert search_samples(store, "look", picture(7), 1, "length = 2") == []


def test_a_modality_that_is_not_there_is_told(store: Store) -> None:
    with pytest.raises(PipelineError, match="'smell'; there are: audio, image"):
        search_samples(store, "look", picture(1), 3, each="smell")
