"""Every pair of 64-bit hashes within a Hamming distance, without comparing all with all."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BITS = 64
# Blocks that a pair must share. More of them mean fewer false candidates and more sorts; at 3,
# sorting outweighs comparing up to some hundred thousand hashes.
SHARED = 3


def near_pairs(hashes: NDArray[np.uint64], distance: int) -> NDArray[np.int64]:
    """Index pairs (i < j) of hashes at most `distance` bits apart, exactly, sorted.

    Cut into `distance + SHARED` blocks, two such hashes differ in at most `distance` of them and
    agree on SHARED whole ones, so they stand together under one of the masks that keep SHARED
    blocks (the pigeonhole of Norouzi, Punjani and Fleet, "Fast search in Hamming space with
    multi-index hashing", CVPR 2012, with joint instead of single blocks).

    Parameters
    ----------
    hashes:
        uint64 (n,), distinct.
    distance:
        Bits, 0 to 61.

    Returns
    -------
    int64 (pairs, 2)
    """
    count = len(hashes)
    codes_by_mask = [np.empty(0, np.int64)]
    for mask in _masks(distance):
        first, second = _near_under(hashes, mask, distance)
        codes_by_mask.append(np.minimum(first, second) * count + np.maximum(first, second))
    codes = np.unique(np.concatenate(codes_by_mask))
    return np.stack(np.divmod(codes, max(count, 1)), axis=1)


def _masks(distance: int) -> list[np.uint64]:
    edges = np.linspace(0, BITS, distance + SHARED + 1).round().astype(int).tolist()
    blocks = [(1 << high) - (1 << low) for low, high in pairwise(edges)]
    return [np.uint64(sum(kept)) for kept in combinations(blocks, SHARED)]


def _near_under(
    hashes: NDArray[np.uint64], mask: np.uint64, distance: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The near ones among the pairs that are equal under a mask."""
    masked = hashes & mask
    order = np.argsort(masked)
    masked, sorted_hashes = masked[order], hashes[order]
    firsts, seconds = [], []
    # Equal ones stand side by side: compare neighbours at a growing step, and keep going only
    # where the bucket reaches that far.
    at = np.arange(len(hashes))
    step = 1
    while at.size:
        at = at[: np.searchsorted(at, len(hashes) - step)]
        at = at[masked[at] == masked[at + step]]
        differing = np.bitwise_count(sorted_hashes[at] ^ sorted_hashes[at + step])
        close = at[differing <= distance]
        firsts.append(order[close])
        seconds.append(order[close + step])
        step += 1
    empty = np.empty(0, np.int64)
    return np.concatenate([empty, *firsts]), np.concatenate([empty, *seconds])
