"""The split of a group or component: a pure function of names and a seed, not of history."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.core.randomness import entropy
from pipeline.core.records import Split
from pipeline.curation.options import Ratios

# Where the data brings several splits to one component, the first of these wins: what was held
# out to measure on stays held out, and train loses samples.
PRECEDENCE: tuple[Split, ...] = ("test", "validation", "train")


def group_rank(seed: int, group: str) -> int:
    """A group's place among all groups, 128 bits. The lowest of a component speaks for it."""
    return entropy(seed, "rank", group)


def hash_split(seed: int, group: str, ratios: Ratios) -> Split:
    """The split that a group hashes to.

    It is drawn from another stream than `group_rank`: the lowest of k ranks is low, so that a split
    by the rank itself would put large components into the first split more often than its ratio.
    """
    share = (entropy(seed, "split", group) >> 75) / 2**53
    if share < ratios.train:
        return "train"
    return "validation" if share < ratios.train + ratios.validation else "test"


def first_given(given_splits: Iterable[Split]) -> Split:
    """The split that a component takes of those that the data brings to it."""
    return min(given_splits, key=PRECEDENCE.index)
