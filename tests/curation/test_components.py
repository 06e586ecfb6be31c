from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import PipelineError
from pipeline.curation.components import (
    check_share,
    connected_components,
    describe_links,
    linking_assets,
)
from pipeline.curation.duplicate_links import DuplicateLink

names = st.sampled_from("abcdefghij")
edges = st.lists(st.tuples(names, names))
RANK = {name: place for place, name in enumerate("jcabdefghi")}


def as_ties(pairs: list[tuple[str, str]]) -> list[DuplicateLink]:
    return [
        DuplicateLink("audio", "equal", (str(n),), tuple(sorted({a, b})))
        for n, (a, b) in enumerate(pairs)
    ]


def reachable(start: str, pairs: list[tuple[str, str]]) -> set[str]:
    """By walking, which shares nothing with union-find."""
    seen, pending = {start}, [start]
    while pending:
        at = pending.pop()
        for pair in pairs:
            if at in pair:
                fresh = set(pair) - seen
                seen |= fresh
                pending += fresh
    return seen


@given(edges)
def test_a_component_is_what_can_be_reached_named_by_its_lowest(
    pairs: list[tuple[str, str]],
) -> None:
    result = connected_components(RANK, as_ties(pairs))
    assert result == {name: min(reachable(name, pairs), key=RANK.__getitem__) for name in RANK}


@given(edges, st.randoms())
def test_the_order_of_ties_does_not_matter(pairs: list[tuple[str, str]], random: object) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert connected_components(RANK, as_ties(pairs)) == connected_components(
        RANK, as_ties(shuffled)
    )


def test_bridges_come_most_joining_first() -> None:
    ties = [
        DuplicateLink("text", "equal", ("t",), ("a", "b")),
        DuplicateLink("audio", "equal", ("u",), ("b", "c", "d")),
        DuplicateLink("image", "near", ("p", "q"), ("e", "f")),
    ]
    of = connected_components(RANK, ties)
    assert linking_assets(of["a"], of, ties) == {"audio:u": ["b", "c", "d"], "text:t": ["a", "b"]}
    assert list(linking_assets(of["e"], of, ties)) == ["image:p", "image:q"]


def test_the_first_bridges_are_told() -> None:
    ties = {f"text:{n}": ["a", "b", "c", "d"] for n in range(7)}
    message = describe_links(ties)
    assert message.startswith("text:0 joins 4 groups (a, b, c, …); text:1")
    assert message.endswith("and 2 more")


def records(sizes: dict[str, int], of: dict[str, str]) -> list[dict[str, str]]:
    return [{"component": of[group]} for group, size in sizes.items() for _ in range(size)]


def test_a_component_over_the_limit_fails_naming_its_bridges() -> None:
    ties = [
        DuplicateLink("text", "equal", ("hello",), ("a", "b")),
        DuplicateLink("audio", "equal", ("hum",), ("b", "c", "d")),
    ]
    of = connected_components(RANK, ties)
    rows = records({"a": 1, "b": 1, "c": 1, "d": 1, "e": 6}, of)
    check_share(rows, of, ties, 0.4)
    with pytest.raises(PipelineError, match=r"4 of 10 samples.*\n.*audio:hum joins 3.*text:hello"):
        check_share(rows, of, ties, 0.39)


def test_one_group_alone_may_be_of_any_size() -> None:
    of = connected_components(RANK, [])
    check_share(records({"a": 9, "b": 1}, of), of, [], 0.1)
