"""Which assets tie which groups together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.curation.hamming import BITS, near_pairs

if TYPE_CHECKING:
    from pipeline.curation.options import Join, Options


class Asset(NamedTuple):
    """A cleaned asset: digest of its content, and its 64-bit perceptual hash if it has one."""

    content: str
    phash: int | None = None


@dataclass(frozen=True, order=True)
class Tie:
    """Assets of one modality that are equal or nearly equal, and the groups that hold them."""

    modality: str
    how: Join
    digests: tuple[str, ...]
    groups: tuple[str, ...]


def group_of(record: Mapping[str, Any]) -> str:
    """A sample's group, told apart from another source's; a source has no slash in its name."""
    return f"{record['source']}/{record['group']}"


def ties(
    records: Sequence[Mapping[str, Any]],
    assets: Mapping[str, Mapping[str, Asset]],
    options: Options,
) -> list[Tie]:
    """Every tie between the groups of these samples, sorted.

    Parameters
    ----------
    assets:
        Modality → digest → cleaned asset; has every digest that the records hold.
    """
    found = []
    for modality in sorted(assets):
        holders: dict[str, set[str]] = defaultdict(set)
        for record in records:
            if record[modality] is not None:
                holders[record[modality]].add(group_of(record))
        found += _of_modality(modality, holders, assets[modality], options)
    return sorted(tie for tie in found if len(tie.groups) > 1)


def tells(phash: int, min_set_bits: int) -> bool:
    """Whether a hash says enough about its picture to be compared."""
    return min_set_bits <= phash.bit_count() <= BITS - min_set_bits


def _of_modality(
    modality: str,
    holders: Mapping[str, set[str]],
    assets: Mapping[str, Asset],
    options: Options,
) -> list[Tie]:
    how = options.join(modality)
    if how == "none":
        return []
    by_content = defaultdict(list)
    for digest in holders:
        by_content[assets[digest].content].append(digest)
    found = [_tie(modality, "equal", digests, holders) for digests in by_content.values()]
    if how == "near":
        by_hash = defaultdict(list)
        for digest in holders:
            phash = assets[digest].phash
            if phash is not None and tells(phash, options.min_set_bits):
                by_hash[phash].append(digest)
        found += [
            _tie(modality, "near", digests, holders)
            for digests in _near(by_hash, options.near_bits)
            if len({assets[digest].content for digest in digests}) > 1
        ]
    return found


def _near(by_hash: Mapping[int, list[str]], near_bits: int) -> Iterable[list[str]]:
    import numpy as np

    hashes = sorted(by_hash)
    yield from by_hash.values()
    for first, second in near_pairs(np.array(hashes, np.uint64), near_bits).tolist():
        yield by_hash[hashes[first]] + by_hash[hashes[second]]


def _tie(modality: str, how: Join, digests: list[str], holders: Mapping[str, set[str]]) -> Tie:
    groups = set().union(*(holders[digest] for digest in digests))
    return Tie(modality, how, tuple(sorted(digests)), tuple(sorted(groups)))
