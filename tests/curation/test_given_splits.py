from __future__ import annotations

import pytest

from pipeline.core.errors import PipelineError
from pipeline.curation.curate import Curation, curate
from pipeline.curation.options import CurationOptions
from tests.curation.builders import TARGETS, assets_of, sample

LOOSE = {"max_component_share": 1.0, "min_components_per_class": 1}


def run(samples: list[dict[str, object]], **options: object) -> Curation:
    everything = [*samples, *(sample(f"filler {n}", audio=f"f{n}") for n in range(20))]
    return curate(
        everything, assets_of(everything), CurationOptions(**{**LOOSE, **options}), TARGETS, 0
    )


def splits(curation: Curation) -> dict[str, str]:
    return {
        record["sample_id"]: record["split"]
        for record in curation.records
        if not record["sample_id"].startswith("filler")
    }


def test_a_given_split_is_kept_against_the_draw() -> None:
    rows = [
        sample(split, audio=split, split_given=split) for split in ("train", "validation", "test")
    ]
    for name in "abc":  # which would be drawn to other splits
        curation = run([row | {"group": f"{row['group']} {name}"} for row in rows])
        assert splits(curation) == {split: split for split in ("train", "validation", "test")}
        assert curation.summary["given"]["kept"] == 3


def test_a_sample_without_a_given_split_follows_its_component() -> None:
    curation = run([sample("a", audio="x", split_given="validation"), sample("b", audio="x")])
    assert splits(curation) == {"a": "validation", "b": "validation"}
    assert curation.summary["given"] == {
        "kept": 1, "followed": 1, "regrouped": 0, "regrouped_components": 0,
    }  # fmt: skip


TORN = [
    sample("a", audio="x", split_given="train"),
    sample("b", audio="x", split_given="test"),
    sample("c", audio="x", split_given="train"),
]


def test_given_splits_that_tear_a_component_fail_naming_groups_and_assets() -> None:
    with pytest.raises(PipelineError) as caught:
        run(TORN)
    message = str(caught.value)
    assert "tear 1 components apart" in message
    assert "train: s/a, s/c" in message
    assert "test: s/b" in message
    assert "audio:x joins 3 groups" in message
    assert "curate.on_leak" in message


def test_given_splits_that_tear_one_group_fail() -> None:
    rows = [
        sample("a", "g", audio="x", split_given="train"),
        sample("b", "g", audio="y", split_given="test"),
    ]
    with pytest.raises(PipelineError, match="nothing but being one group"):
        run(rows)


def test_regrouped_components_go_to_what_is_held_out_and_are_counted() -> None:
    curation = run(TORN, on_leak="regroup")
    assert splits(curation) == {"a": "test", "b": "test", "c": "test"}
    assert curation.summary["given"] == {
        "kept": 1, "followed": 0, "regrouped": 2, "regrouped_components": 1,
    }  # fmt: skip
