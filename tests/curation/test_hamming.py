from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.curation.hamming import near_pairs

words = st.integers(0, 2**64 - 1)
flips = st.lists(st.integers(0, 63), max_size=20)


def brute(hashes: list[int], distance: int) -> list[tuple[int, int]]:
    indexed = combinations(range(len(hashes)), 2)
    return [(i, j) for i, j in indexed if (hashes[i] ^ hashes[j]).bit_count() <= distance]


@given(
    st.lists(words, max_size=6), st.lists(st.tuples(st.integers(0, 5), flips)), st.integers(0, 16)
)
def test_it_finds_the_pairs_that_comparing_all_with_all_finds(
    centres: list[int], around: list[tuple[int, list[int]]], distance: int
) -> None:
    near = [
        centres[i] ^ sum(1 << bit for bit in set(bits)) for i, bits in around if i < len(centres)
    ]
    hashes = sorted({*centres, *near})
    result = near_pairs(np.array(hashes, np.uint64), distance)
    assert [tuple(pair) for pair in result.tolist()] == brute(hashes, distance)


def test_every_bit_counts_whichever_block_it_falls_in() -> None:
    for bit in range(64):
        hashes = np.array([0x5A5A_0F0F_3C3C_9999, 0x5A5A_0F0F_3C3C_9999 ^ (1 << bit)], np.uint64)
        assert near_pairs(hashes, 1).tolist() == [[0, 1]]
        assert near_pairs(hashes, 0).tolist() == []


def test_many_equal_but_for_a_few_bits_are_all_found() -> None:
    hashes = np.array([(1 << a) | (1 << b) for a, b in combinations(range(32), 2)], np.uint64)
    assert len(near_pairs(hashes, 4)) == len(hashes) * (len(hashes) - 1) // 2


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_to_pair(count: int) -> None:
    assert near_pairs(np.arange(count, dtype=np.uint64), 8).shape == (0, 2)
