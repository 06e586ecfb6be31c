from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.errors import PipelineError
from pipeline.curation.duplicate_links import Asset
from pipeline.curation.leaks import Leak, check_leaks, find_leaks
from pipeline.curation.options import CurationOptions
from tests.curation.builders import Assets, assets_of, cleaned_tables, curated_table, sample

PICTURE = 0x5A5A_0F0F_3C3C_9999
NEAR = CurationOptions(join_on={"image": "near", "text": "none"}, near_bits=4)


def placed(sample_id: str, split: str, component: str = "", **columns: Any) -> dict[str, Any]:
    row = sample(sample_id, **columns)
    return row | {"split": split, "component": component or sample_id, "joined_by": []}


def found(
    rows: list[dict[str, Any]], assets: Assets | None = None, options: CurationOptions = NEAR
) -> list[Leak]:
    tables = cleaned_tables(assets_of(rows) if assets is None else assets)
    return find_leaks(curated_table(rows), tables, options)


def test_a_clean_split_has_no_leak() -> None:
    rows = [
        placed("a", "train", "one", audio="x", image="p"),
        placed("b", "train", "one", audio="x", image="q"),
        placed("c", "test", "two", audio="y", image="r"),
        placed("d", "validation"),
    ]
    hashes = {"p": PICTURE, "q": PICTURE ^ 1, "r": PICTURE ^ 0b11_1111}
    assert found(rows, assets_of(rows, hashes)) == []


def test_a_group_in_two_splits() -> None:
    rows = [placed("a", "train", group="g"), placed("b", "test", group="g")]
    assert found(rows) == [Leak("group", "s/g", "test", "b", "train", "a")]


def test_groups_of_one_name_in_two_sources_are_two() -> None:
    assert (
        found([placed("a", "train", group="g"), placed("b", "test", group="g", source="t")]) == []
    )


def test_a_component_in_two_splits() -> None:
    rows = [placed("a", "train", "one"), placed("b", "validation", "one")]
    assert found(rows) == [Leak("component", "one", "train", "a", "validation", "b")]


def test_an_asset_in_two_splits() -> None:
    rows = [placed("a", "train", audio="x"), placed("b", "test", audio="x")]
    kinds = [(leak.kind, leak.subject) for leak in found(rows)]
    assert kinds == [("equal audio", "content of x"), ("same audio", "x")]


def test_equal_content_in_two_splits() -> None:
    rows = [placed("a", "train", audio="x"), placed("b", "test", audio="y")]
    assets: Assets = {"audio": {"x": Asset("hum"), "y": Asset("hum")}}
    assert found(rows, assets) == [Leak("equal audio", "hum", "test", "b", "train", "a")]


@pytest.mark.parametrize(("bits", "expected"), [(0, 1), (4, 1), (5, 0)])
def test_near_pictures_in_two_splits(bits: int, expected: int) -> None:
    rows = [placed("a", "train", image="p"), placed("b", "test", image="q")]
    hashes = {"p": PICTURE, "q": PICTURE ^ ((1 << bits) - 1)}
    near = [leak for leak in found(rows, assets_of(rows, hashes)) if leak.kind == "near image"]
    assert len(near) == expected
    assert all((leak.sample_id, leak.other_sample_id) == ("b", "a") for leak in near)


def test_near_pictures_are_found_across_blocks_of_the_comparison() -> None:
    rows = [placed(f"t{n:04}", "train", image=f"t{n}") for n in range(5000)]
    rows += [placed(f"v{n:02}", "test", image=f"v{n}") for n in range(40)]
    hashes = {f"t{n}": (PICTURE * (2 * n + 3)) % 2**64 for n in range(5000)}
    hashes |= {f"v{n}": (PICTURE * (2 * n + 20003)) % 2**64 for n in range(40)}
    hashes["v39"] = hashes["t4999"] ^ 0b1000_0000_0001
    near = found(rows, assets_of(rows, hashes))
    assert ("v39", "t4999") in {(leak.sample_id, leak.other_sample_id) for leak in near}


def test_flat_pictures_are_not_compared() -> None:
    rows = [placed("a", "train", image="p"), placed("b", "test", image="q")]
    assert found(rows, assets_of(rows, {"p": 0b1, "q": 0b11})) == []


def test_what_does_not_join_does_not_leak() -> None:
    rows = [placed("a", "train", text="x"), placed("b", "test", text="x")]
    assert found(rows) == []
    assert found(rows, options=CurationOptions()) != []


def test_a_given_split_that_was_not_kept() -> None:
    rows = [placed("a", "test", split_given="train"), placed("b", "test", split_given="test")]
    assert found(rows) == [Leak("given", "a", "train", "a", "test", "a")]
    assert found(rows, options=CurationOptions(on_leak="regroup")) == []


def test_the_check_fails_naming_the_pairs() -> None:
    rows = [placed(f"a{n}", "train", f"c{n}") for n in range(12)]
    rows += [placed(f"b{n}", "test", f"c{n}") for n in range(12)]
    with pytest.raises(PipelineError) as caught:
        check_leaks(curated_table(rows), {}, NEAR)
    message = str(caught.value)
    assert "found 12 leaks between splits (12 component)" in message
    assert "component c0: b0 in test, a0 in train" in message
    assert "and 2 more" in message


def test_the_check_passes_what_has_no_leak() -> None:
    check_leaks(curated_table([placed("a", "train"), placed("b", "test")]), {}, NEAR)
