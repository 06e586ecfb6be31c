from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.records import SPLITS
from pipeline.curation.curate import Curation, curate
from pipeline.curation.options import CurationOptions
from tests.curation.builders import TARGETS, assets_of, sample

LOOSE: dict[str, Any] = {"max_component_share": 1.0, "min_components_per_class": 1}


def run(samples: list[dict[str, Any]], seed: int = 0, **options: Any) -> Curation:
    return curate(
        samples, assets_of(samples), CurationOptions(**{**LOOSE, **options}), TARGETS, seed
    )


def small_world(components: int = 53, seed: int = 0) -> list[dict[str, Any]]:
    """Groups of 1 to 30 samples, of unequal classes; a sixth of them alone has sound."""
    draw = random.Random(seed)
    return [
        sample(
            f"{group:02}/{n}",
            f"{group:02}",
            category=draw_class,
            text=f"{group}/{n}",
            audio=f"{group}/{n}" if heard else None,
        )
        for group in range(components)
        for draw_class in draw.choices(["animal", "plant", "stone"], [6, 3, 1])
        for heard in [group % 6 == 0]
        for n in range(min(30, int(1 + draw.expovariate(0.15))))
    ]


@pytest.mark.parametrize("seed", range(8))
def test_few_components_split_by_the_ratios_in_whatever_they_bring(seed: int) -> None:
    records = run(small_world(seed=seed), seed).records
    components = {record["component"]: record for record in records}
    by_kind = {
        "samples": Counter(record["split"] for record in records),
        "components": Counter(record["split"] for record in components.values()),
        "audio": Counter(r["split"] for r in components.values() if r["audio"]),
        "stone": Counter(
            r["split"] for r in components.values() if r["target.category"] == "stone"
        ),
    }
    for kind in ("samples", "components"):
        total = by_kind[kind].total()
        for split, ratio in {"train": 0.7, "validation": 0.15, "test": 0.15}.items():
            assert by_kind[kind][split] / total == pytest.approx(ratio, abs=0.06), kind
    for kind, counts in by_kind.items():
        if counts.total() >= 7:
            assert set(counts) == set(SPLITS), kind


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({"test": 15}, {"train": 70, "validation": 15, "test": 15}),
        ({"test": 32}, {"train": 56, "validation": 12, "test": 32}),
        ({"train": 80}, {"train": 80, "validation": 10, "test": 10}),
        ({"train": 75, "test": 20}, {"train": 75, "validation": 5, "test": 20}),
        ({"train": 70, "test": 30}, {"train": 70, "test": 30}),
    ],
)
def test_what_a_split_is_given_beyond_its_share_is_missing_in_the_others_alike(
    named: dict[str, int], expected: dict[str, int]
) -> None:
    given_splits = [split for split, count in named.items() for _ in range(count)]
    given_splits += [None] * (100 - len(given_splits))
    world = [sample(f"{i:03}", split_given=s, text=str(i)) for i, s in enumerate(given_splits)]
    counts = Counter(record["split"] for record in run(world).records)
    assert counts == pytest.approx(expected, abs=1)


def test_drawn_by_hash_the_same_components_do_not() -> None:
    lacking = [
        seed
        for seed in range(8)
        if len({r["split"] for r in run(small_world(), seed, splits="hashed").records
                if r["audio"]}) < 3
    ]  # fmt: skip
    assert lacking


drawn = st.lists(
    st.tuples(st.sampled_from("ABCDEFGHIJ"), st.sampled_from("rstuvwxyz"), st.integers(1, 12)),
    min_size=1,
    max_size=16,
)


def landed(rows: list[tuple[str, str, int]], until: int) -> dict[str, tuple[str, str]]:
    """Group → component and split, of what lies in the batches up to one."""
    samples = [
        sample(f"{n:02}", group, audio=audio, batch=str(batch))
        for n, (group, audio, batch) in enumerate(rows)
        if batch <= until
    ]
    found = curate(samples, assets_of(samples), CurationOptions(**LOOSE), {}, 0).records
    return {record["group"]: (record["component"], record["split"]) for record in found}


@given(drawn, st.integers(1, 12))
def test_a_later_batch_moves_only_what_it_joins_to_something_earlier(
    rows: list[tuple[str, str, int]], until: int
) -> None:
    before, after = landed(rows, until), landed(rows, 12)
    split_of = dict(before.values())
    for group, (component, split) in before.items():
        now, split_now = after[group]
        assert now in split_of, "a component keeps the name of one that was there"
        assert split_now == split_of[now]
        assert now != component or split_now == split


@given(drawn, st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_matter(
    rows: list[tuple[str, str, int]], shuffler: random.Random
) -> None:
    samples = [
        sample(f"{n:02}", group, audio=audio, batch=str(batch))
        for n, (group, audio, batch) in enumerate(rows)
    ]
    shuffled = list(samples)
    shuffler.shuffle(shuffled)
    assert run(shuffled) == run(samples)


def test_a_tenth_batch_lands_after_a_ninth() -> None:
    rows = [(group, "rstuvwxyz"[n], n + 1) for n, group in enumerate("ABCDEFGHI")]
    before = landed(rows, 9)
    assert {g: v for g, v in landed([*rows, ("J", "none", 10)], 12).items() if g != "J"} == before


def test_a_split_of_ratio_nought_stays_empty() -> None:
    ratios = {"train": 0.8, "validation": 0.2, "test": 0.0}
    found = run(small_world(), ratios=ratios)
    assert {record["split"] for record in found.records} == {"train", "validation"}
    assert not any(warning.startswith("test") for warning in found.summary["warnings"])


def test_given_splits_stand_and_count_towards_the_ratios() -> None:
    samples = small_world()
    for row in samples:
        row["split_given"] = "test" if int(row["group"]) < 8 else None
    records = run(samples).records
    assert all(r["split"] == "test" for r in records if r["split_given"])
    drawn_too = {r["component"] for r in records if r["split"] == "test" and not r["split_given"]}
    assert len(drawn_too) <= 1


def test_what_the_splits_cannot_tell_is_said() -> None:
    samples = [sample(f"{n}", text=f"{n}", category="ab"[n % 2]) for n in range(12)]
    samples += [sample("x", text="x", audio="x", category="c")]
    warnings = run(samples).summary["warnings"]
    assert warnings == [
        "validation has 2 components, and figures of fewer than 5 have no interval",
        "validation has no sample with audio: models that read audio alone have no figures",
        "validation lacks 1 of the 3 classes of category: c",
        "test has 2 components, and figures of fewer than 5 have no interval",
        "test has no sample with audio: models that read audio alone have no figures",
        "test lacks 1 of the 3 classes of category: c",
    ]
    hashed = run(samples, splits="hashed").summary["warnings"]
    assert hashed[-1].startswith("curate.splits: balanced")


def test_splits_that_tell_enough_are_not_warned_of() -> None:
    samples = [sample(f"{n}", text=f"{n}", category="ab"[n % 2]) for n in range(100)]
    assert run(samples).summary["warnings"] == []
