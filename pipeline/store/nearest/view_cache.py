"""What a process keeps of a view in which it looks for neighbours: rows as mapped, and lengths."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from pipeline.store.nearest.index import Index, id_index
from pipeline.store.sql.samples import SampledFeatures

# Lengths at which float32 neither overflows nor underflows. Other rows have no direction.
SHORTEST, LONGEST = 1e-15, 1e15
# Bytes multiplied together. Rows in a file stand at odd addresses and are copied before they are
# multiplied; so many stay in the processor's cache meanwhile.
PIECE = 2**20
# Files that are kept mapped, views that a process remembers.
MAPS, VIEWS = 16_384, 8


class ViewCache:
    """What a process keeps of a view in which it has looked for neighbours."""

    def __init__(self, features: SampledFeatures, view: int) -> None:
        self._features, self._view = features, view

    @cached_property
    def scale(self) -> np.ndarray:
        """`scale_of` every row, float32 (n,)."""
        return np.concatenate([scale_of(piece) for piece in self.chunks()])

    @cached_property
    def without_direction(self) -> np.ndarray:
        """Places of the rows without direction."""
        return np.flatnonzero(self.scale == 0)

    def chunks(self) -> Iterator[np.ndarray]:
        """All rows in order, a few at a time."""
        rows = max(1, PIECE // (4 * self._features.shape[0]))
        for block in self._mapped or self._features.blocks(self._view):
            for start in range(0, len(block), rows):
                yield block[start : start + rows]

    @cached_property
    def _mapped(self) -> list[np.ndarray] | None:
        """The rows as they are mapped, so that the next query meets no page fault; None where
        they are not mapped, or in more pieces than a process should map."""
        if len(self._features.parts(self._view)) > MAPS:
            return None
        blocks = list(self._features.blocks(self._view))
        mapped = len(blocks) <= MAPS and all(isinstance(block, np.memmap) for block in blocks)
        return [np.asarray(block) for block in blocks] if mapped else None

    @cached_property
    def _ends(self) -> np.ndarray:
        """Rows up to the end of each block."""
        return np.cumsum([len(block) for block in self._mapped or ()])

    def vectors(self, places: np.ndarray) -> np.ndarray:
        """The rows at some places, (len(places), D)."""
        if self._mapped is None:
            return self._features.matrix(places, self._view)
        out = np.empty((len(places), *self._features.shape), self._features.dtype)
        holder = np.searchsorted(self._ends, places, "right")
        for number in np.unique(holder).tolist():
            in_block, block = holder == number, self._mapped[number]
            out[in_block] = block[places[in_block] - (self._ends[number] - len(block))]
        return out

    def digests(self, places: np.ndarray) -> list[str]:
        """The assets at some places."""
        ids: list[str] = self._index.ids.take(self._rows[places]).to_pylist()
        return ids

    @cached_property
    def _index(self) -> Index:
        return id_index(self._features, self._view, "digest")

    @cached_property
    def _rows(self) -> np.ndarray:
        """Place → row of the index."""
        rows = np.empty(len(self._index.places), np.int64)
        rows[self._index.places] = np.arange(len(rows))
        return rows


_CACHES: dict[object, ViewCache] = {}


def view_cache(features: SampledFeatures, view: int) -> ViewCache:
    """What is known of a view; the parts' names say what they hold."""
    parts = tuple(entry.key for entry in features.parts(view))
    key = (features.tree.project.absolute(), features.name, view, parts)
    cache = _CACHES.get(key)
    if cache is None:
        if len(_CACHES) >= VIEWS:
            _CACHES.clear()
        cache = _CACHES[key] = ViewCache(features, view)
    return cache


def scale_of(block: np.ndarray) -> np.ndarray:
    """1 ÷ length of each row of (n, D), float32 (n,); 0 where a row has no direction."""
    block = float32(block)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", block, block))
        good = (lengths > SHORTEST) & (lengths < LONGEST)
        return np.where(good, np.float32(1) / lengths, np.float32(0))


def float32(block: np.ndarray) -> np.ndarray:
    """The same values; the same array where it holds that type already."""
    return block.astype(np.float32, copy=False)
