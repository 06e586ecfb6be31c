from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import PipelineError
from pipeline.curation.curate import Curation, curate
from pipeline.curation.hashed_splits import group_rank
from pipeline.curation.leaks import find_leaks
from pipeline.curation.options import CurationOptions
from tests.curation.builders import (
    TARGETS,
    assets_of,
    cleaned_tables,
    curated_table,
    sample,
)

ANY_SIZE = CurationOptions(max_component_share=1.0, min_components_per_class=1)
PICTURE = 0x5A5A_0F0F_3C3C_9999


def run(
    samples: list[dict[str, Any]], options: CurationOptions = ANY_SIZE, seed: int = 0
) -> Curation:
    return curate(samples, assets_of(samples), options, TARGETS, seed)


def by_id(curation: Curation, column: str) -> dict[str, Any]:
    return {record["sample_id"]: record[column] for record in curation.records}


# A few groups and recordings, so that they meet.
drawn_samples = st.lists(
    st.tuples(st.sampled_from("ABCDEFGHIJ"), st.sampled_from("rstuvwxyz")), min_size=1, max_size=14
).map(
    lambda pairs: [sample(f"{n:02}", group, audio=audio) for n, (group, audio) in enumerate(pairs)]
)


def by_group(samples: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """Group → component and split by hash. Without targets, no class is set aside."""
    hashed = ANY_SIZE.model_copy(update={"splits": "hashed"})
    curation = curate(samples, assets_of(samples), hashed, {}, 0)
    return {record["group"]: (record["component"], record["split"]) for record in curation.records}


@given(drawn_samples, st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_matter(
    samples: list[dict[str, Any]], shuffler: random.Random
) -> None:
    shuffled = list(samples)
    shuffler.shuffle(shuffled)
    assert run(shuffled) == run(samples)


@given(drawn_samples, st.integers(0, 14))
def test_more_samples_move_only_what_a_lower_ranked_group_joins(
    samples: list[dict[str, Any]], first: int
) -> None:
    before, after = by_group(samples[:first]), by_group(samples)
    for group, (component, split) in before.items():
        now, split_now = after[group]
        if now == component:
            assert split_now == split
        else:
            assert group_rank(0, now) < group_rank(0, component)


@given(drawn_samples)
def test_groups_that_share_an_asset_share_a_split(samples: list[dict[str, Any]]) -> None:
    splits: dict[str, set[str]] = {}
    for record in curate(samples, assets_of(samples), ANY_SIZE, {}, 0).records:
        splits.setdefault(record["audio"], set()).add(record["split"])
        splits.setdefault(record["group"], set()).add(record["split"])
    assert all(len(result) == 1 for result in splits.values())


@given(drawn_samples)
def test_samples_in_are_samples_out_and_rejected(samples: list[dict[str, Any]]) -> None:
    strict = CurationOptions(max_component_share=1.0, min_components_per_class=4)
    curation = run(samples, strict)
    assert len(curation.records) + len(curation.rejects) == len(samples)
    counted = curation.summary["samples"]
    assert counted["in"] == counted["curated"] + sum(counted["rejected"].values())


def test_samples_given_are_not_changed() -> None:
    samples = [sample("a", audio="x", image="gone")]
    curate(samples, {"audio": {}, "image": {}, "text": {}}, ANY_SIZE, TARGETS, 0)
    assert samples == [sample("a", audio="x", image="gone")]


def test_a_refused_asset_empties_its_modality_and_a_sample_left_with_none_is_refused() -> None:
    samples = [sample("a", audio="good", image="bad"), sample("b", image="bad")]
    assets = assets_of(samples)
    del assets["image"]["bad"]
    curation = curate(samples, assets, ANY_SIZE, {}, 0)
    assert by_id(curation, "image") == {"a": None}
    assert [(r.subject, r.reason, r.subject_kind) for r in curation.rejects] == [
        ("b", "no_modality_left", "sample")
    ]
    assert curation.summary["emptied"] == {"audio": 0, "image": 2, "text": 0}
    assert curation.summary["samples"] == {
        "in": 2, "curated": 1, "rejected": {"no_modality_left": 1},
    }  # fmt: skip


def test_a_sample_without_any_target_is_refused() -> None:
    samples = [
        sample(f"{n}", audio=f"{n}", category=None, language="en" if n else None) for n in range(20)
    ]
    curation = run(samples)
    assert [(r.subject, r.reason) for r in curation.rejects] == [("0", "no_target")]
    warning = curation.summary["warnings"][0]
    assert warning == "1 of 20 samples have no target and are left out, such as 0"
    with pytest.raises(PipelineError, match="no sample has a target"):
        run(samples[:1])


def test_without_targets_nothing_is_refused_for_the_lack_of_one() -> None:
    assert (
        len(
            curate(
                [sample("a", audio="x")], assets_of([sample("a", audio="x")]), ANY_SIZE, {}, 0
            ).records
        )
        == 1
    )


def test_a_rare_class_costs_its_target_and_only_the_last_target_its_sample() -> None:
    samples = [sample(f"{n:02}", audio=f"{n}") for n in range(30)]
    samples += [
        sample("x", audio="x", category="unicorn"),
        sample("y", audio="y", category="unicorn", language=None),
    ]
    curation = run(samples, CurationOptions(max_component_share=1.0, min_components_per_class=3))
    assert by_id(curation, "target.category")["x"] is None
    assert by_id(curation, "target.language")["x"] == "en"
    assert [(r.subject, r.reason) for r in curation.rejects] == [("y", "rare_class")]
    assert curation.summary["set_aside"] == {
        "category": {"unicorn": {"samples": 2, "components": 2}},
        "language": {},
    }
    assert "unicorn" not in curation.summary["classes"]["category"]


def test_joined_by_names_a_samples_own_assets_that_tie_it() -> None:
    samples = [
        sample("a", audio="x", text="alone"),
        sample("b", audio="x", image="p"),
        sample("c", image="q"),
        sample("d", text="only"),
    ]
    hashes = {"p": PICTURE, "q": PICTURE ^ 1}
    options = ANY_SIZE.model_copy(update={"join_on": {"image": "near"}})
    curation = curate(samples, assets_of(samples, hashes), options, {}, 0)
    assert by_id(curation, "joined_by") == {
        "a": ["audio:x"], "b": ["audio:x", "image:p"], "c": ["image:q"], "d": [],
    }  # fmt: skip
    component = by_id(curation, "component")
    assert component["a"] == component["b"] == component["c"] != component["d"]
    assert curation.summary["ties"] == {"audio": {"equal": 1}, "image": {"near": 1}}
    largest = curation.summary["largest"][0]
    assert largest["members"] == ["s/a", "s/b", "s/c"]
    assert largest["tied_by"][0] == {"asset": "audio:x", "groups": 2}


def test_a_component_is_named_by_its_lowest_ranked_group() -> None:
    samples = [sample(name, audio="x") for name in "abcdef"]
    lowest = min((f"s/{name}" for name in "abcdef"), key=lambda group: group_rank(0, group))
    curation = curate(samples, assets_of(samples), ANY_SIZE, {}, 0)
    assert {record["component"] for record in curation.records} == {lowest}


def shared_names(subjects: int = 120) -> list[dict[str, Any]]:
    """Subjects in three languages; a third of them share their recordings with another."""
    return [
        sample(
            f"{subject}/{language}",
            f"{subject}",
            audio=f"{subject - (subject % 3 == 0)} in {language}",
            image=f"picture {subject}",
            language=language,
        )
        for subject in range(1, subjects + 1)
        for language in ("bg", "ca", "da")
    ]


def test_a_random_split_of_samples_leaks_and_ours_does_not() -> None:
    samples = shared_names()
    assets = assets_of(samples)
    curation = run(samples)
    ours = curated_table(curation.records)
    assert find_leaks(ours, cleaned_tables(assets), ANY_SIZE) == []
    assert len(set(ours["split"].to_pylist())) == 3

    draw = random.Random(0)
    naive = [
        {**record, "split": draw.choices(["train", "validation", "test"], [70, 15, 15])[0]}
        for record in curation.records
    ]
    kinds = {
        leak.kind for leak in find_leaks(curated_table(naive), cleaned_tables(assets), ANY_SIZE)
    }
    assert kinds == {
        "group",
        "component",
        "same audio",
        "equal audio",
        "same image",
        "equal image",
    }


def test_a_random_by_group_leaks_too() -> None:
    samples = shared_names()
    curation = run(samples)
    draw = random.Random(0)
    side = {n: draw.choice(["train", "test"]) for n in sorted({s["group"] for s in samples})}
    naive = [{**record, "split": side[record["group"]]} for record in curation.records]
    kinds = {
        leak.kind
        for leak in find_leaks(curated_table(naive), cleaned_tables(assets_of(samples)), ANY_SIZE)
    }
    assert kinds == {"component", "same audio", "equal audio"}
