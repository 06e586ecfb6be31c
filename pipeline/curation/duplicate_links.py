"""Which assets tie which groups together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipeline.curation.hamming import BITS, near_pairs

if TYPE_CHECKING:
    from pipeline.curation.options import CurationOptions, Join


class Asset(NamedTuple):
    """A cleaned asset: digest of its content, and its 64-bit perceptual hash if it has one."""

    content: str
    phash: int | None = None


@dataclass(frozen=True, order=True)
class DuplicateLink:
    """Assets of one modality that are equal or nearly equal, and the groups that hold them."""

    modality: str
    how: Join
    digests: tuple[str, ...]
    groups: tuple[str, ...]


def group_of(record: Mapping[str, Any]) -> str:
    """A sample's group, told apart from another source's; a source has no slash in its name."""
    return f"{record['source']}/{record['group']}"


def duplicate_links(
    records: Sequence[Mapping[str, Any]],
    assets: Mapping[str, Mapping[str, Asset]],
    options: CurationOptions,
) -> list[DuplicateLink]:
    """Every tie between the groups of these samples, sorted.

    Parameters
    ----------
    assets:
        Modality → digest → cleaned asset; has every digest that the records hold.
    """
    links: list[DuplicateLink] = []
    groups = [group_of(record) for record in records]
    for modality in sorted(assets):
        holders: dict[str, set[str]] = defaultdict(set)
        for record, group in zip(records, groups, strict=True):
            if record[modality] is not None:
                holders[record[modality]].add(group)
        links += _of_modality(modality, holders, assets[modality], options)
    return sorted(links)


def is_informative(phash: int, min_set_bits: int) -> bool:
    """Whether a hash says enough about its picture to be compared."""
    return min_set_bits <= phash.bit_count() <= BITS - min_set_bits


def _of_modality(
    modality: str,
    holders: Mapping[str, set[str]],
    assets: Mapping[str, Asset],
    options: CurationOptions,
) -> Iterator[DuplicateLink]:
    how = options.join(modality)
    if how == "none":
        return
    for digests in _equal(holders, assets):
        yield from _link(modality, "equal", digests, holders)
    if how == "near":
        for digests in _near(holders, assets, options):
            yield from _link(modality, "near", digests, holders)


def _equal(holders: Iterable[str], assets: Mapping[str, Asset]) -> Iterable[list[str]]:
    """The digests of each content."""
    by_content = defaultdict(list)
    for digest in holders:
        by_content[assets[digest].content].append(digest)
    return by_content.values()


def _near(
    holders: Iterable[str], assets: Mapping[str, Asset], options: CurationOptions
) -> Iterator[list[str]]:
    """The digests of different content under one hash, and under each two that are near."""
    by_hash = defaultdict(list)
    for digest in holders:
        phash = assets[digest].phash
        if phash is not None and is_informative(phash, options.min_set_bits):
            by_hash[phash].append(digest)
    for digests in by_hash.values():
        if len({assets[digest].content for digest in digests}) > 1:
            yield digests
    hashes = np.array(sorted(by_hash), np.uint64)
    for first, second in hashes[near_pairs(hashes, options.near_bits)].tolist():
        yield by_hash[first] + by_hash[second]


def _link(
    modality: str, how: Join, digests: list[str], holders: Mapping[str, set[str]]
) -> Iterator[DuplicateLink]:
    """The tie that these assets make, unless one group holds them all."""
    groups = set().union(*(holders[digest] for digest in digests))
    if len(groups) > 1:
        yield DuplicateLink(modality, how, tuple(sorted(digests)), tuple(sorted(groups)))
