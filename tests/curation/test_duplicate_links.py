from __future__ import annotations

from pipeline.curation.duplicate_links import Asset, DuplicateLink, duplicate_links, is_informative
from pipeline.curation.options import CurationOptions
from tests.curation.builders import assets_of, sample

PICTURE = 0x5A5A_0F0F_3C3C_9999  # half its bits are set
NEAR = CurationOptions(join_on={"image": "near"}, near_bits=4)


def test_one_asset_in_two_groups_ties_them() -> None:
    samples = [sample("a", audio="x"), sample("b", audio="x"), sample("c", audio="y")]
    assert duplicate_links(samples, assets_of(samples), CurationOptions()) == [
        DuplicateLink("audio", "equal", ("x",), ("s/a", "s/b"))
    ]


def test_assets_that_cleaning_made_equal_tie() -> None:
    samples = [sample("a", text="x"), sample("b", text="y")]
    assets = {"text": {"x": Asset("same"), "y": Asset("same")}}
    assert duplicate_links(samples, assets, CurationOptions()) == [
        DuplicateLink("text", "equal", ("x", "y"), ("s/a", "s/b"))
    ]


def test_assets_of_one_group_tie_nothing() -> None:
    samples = [sample("a", "g", audio="x"), sample("b", "g", audio="x")]
    assert duplicate_links(samples, assets_of(samples), CurationOptions()) == []


def test_groups_of_one_name_in_two_sources_are_two() -> None:
    samples = [sample("a", "g", audio="x"), sample("b", "g", audio="x", source="t")]
    assert duplicate_links(samples, assets_of(samples), CurationOptions())[0].groups == (
        "s/g",
        "t/g",
    )


def test_near_pictures_tie_up_to_the_distance() -> None:
    samples = [sample("a", image="x"), sample("b", image="y"), sample("c", image="z")]
    hashes = {"x": PICTURE, "y": PICTURE ^ 0b1111, "z": PICTURE ^ 0b1111_1000_0000}
    assert duplicate_links(samples, assets_of(samples, hashes), NEAR) == [
        DuplicateLink("image", "near", ("x", "y"), ("s/a", "s/b"))
    ]


def test_different_pictures_of_one_hash_tie() -> None:
    samples = [sample("a", image="x"), sample("b", image="y")]
    result = duplicate_links(samples, assets_of(samples, {"x": PICTURE, "y": PICTURE}), NEAR)
    assert result == [DuplicateLink("image", "near", ("x", "y"), ("s/a", "s/b"))]


def test_one_picture_in_two_groups_ties_them_once() -> None:
    samples = [sample("a", image="x"), sample("b", image="y")]
    assets = {"image": {name: Asset("same", PICTURE) for name in "xy"}}
    assert [tie.how for tie in duplicate_links(samples, assets, NEAR)] == ["equal"]


def test_near_pictures_do_not_tie_where_equal_is_asked() -> None:
    samples = [sample("a", image="x"), sample("b", image="y")]
    assert (
        duplicate_links(
            samples, assets_of(samples, {"x": PICTURE, "y": PICTURE}), CurationOptions()
        )
        == []
    )


def test_flat_pictures_tie_only_where_they_are_equal() -> None:
    samples = [sample("a", image="x"), sample("b", image="y"), sample("c", image="x")]
    assert duplicate_links(samples, assets_of(samples, {"x": 0b11, "y": 0b111}), NEAR) == [
        DuplicateLink("image", "equal", ("x",), ("s/a", "s/c"))
    ]


def test_a_hash_with_few_bits_set_or_unset_tells_nothing() -> None:
    assert [is_informative(hash_, 2) for hash_ in (0b1, 0b11, 2**64 - 1, 2**64 - 4)] == [
        False, True, False, True,
    ]  # fmt: skip


def test_an_asset_without_a_hash_ties_by_equality_alone() -> None:
    samples = [sample("a", image="x"), sample("b", image="y"), sample("c", image="y")]
    result = duplicate_links(samples, assets_of(samples, {"x": PICTURE}), NEAR)
    assert [tie.groups for tie in result] == [("s/b", "s/c")]


def test_none_ties_nothing() -> None:
    samples = [sample("a", text="x"), sample("b", text="x")]
    assert (
        duplicate_links(samples, assets_of(samples), CurationOptions(join_on={"text": "none"}))
        == []
    )
