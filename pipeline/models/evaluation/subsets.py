"""Subsets of modalities, in an order of their own."""

from __future__ import annotations

from collections.abc import Sequence


def all_subsets(modalities: Sequence[str]) -> list[tuple[str, ...]]:
    """All 2^m subsets; bit i of a subset's place says whether modality i is in it."""
    return [
        tuple(name for i, name in enumerate(modalities) if place >> i & 1)
        for place in range(2 ** len(modalities))
    ]
