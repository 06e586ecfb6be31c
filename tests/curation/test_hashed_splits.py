from __future__ import annotations

from collections import Counter

import pytest
from pydantic import ValidationError

from pipeline.curation.hashed_splits import first_given, group_rank, hash_split
from pipeline.curation.options import Ratios

RATIOS = Ratios(train=0.7, validation=0.15, test=0.15)
GROUPS = [f"s/{n}" for n in range(6000)]


@pytest.mark.parametrize("size", [1, 6])
def test_components_of_any_size_split_by_the_ratios(size: int) -> None:
    clusters = [GROUPS[at : at + size] for at in range(0, len(GROUPS), size)]
    speakers = [min(cluster, key=lambda group: group_rank(0, group)) for cluster in clusters]
    shares = Counter(hash_split(0, speaker, RATIOS) for speaker in speakers)
    # Four standard deviations of a share of 1000 draws are 0.058.
    for split, ratio in RATIOS.model_dump().items():
        assert shares[split] / len(clusters) == pytest.approx(ratio, abs=0.058)


def test_another_seed_is_another_split() -> None:
    assert [hash_split(0, g, RATIOS) for g in GROUPS] != [hash_split(1, g, RATIOS) for g in GROUPS]
    assert group_rank(0, "s/a") != group_rank(1, "s/a")


def test_a_split_is_the_same_everywhere_and_always() -> None:
    assert [hash_split(7, group, RATIOS)[:2] for group in GROUPS[:8]] == [
        "tr", "tr", "tr", "va", "tr", "tr", "te", "tr",
    ]  # fmt: skip


def test_a_smaller_test_split_moves_nothing_out_of_train() -> None:
    other = Ratios(train=0.7, validation=0.2, test=0.1)
    for group in GROUPS[:500]:
        before, after = hash_split(0, group, RATIOS), hash_split(0, group, other)
        assert before == after or (before, after) == ("test", "validation")


def test_all_to_train() -> None:
    ratios = Ratios(train=1, validation=0, test=0)
    assert {hash_split(0, group, ratios) for group in GROUPS} == {"train"}


def test_ratios_that_do_not_sum_to_one_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"sum to 0\.9, not to 1"):
        Ratios(train=0.7, validation=0.1, test=0.1)


def test_what_is_held_out_stays_held_out() -> None:
    assert first_given(["train", "validation", "test"]) == "test"
    assert first_given(["train", "validation"]) == "validation"
    assert first_given(["train"]) == "train"
