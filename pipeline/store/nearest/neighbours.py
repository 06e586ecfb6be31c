"""The rows of a feature set that lie nearest to a vector, by cosine.

A matrix product over the mapped rows, block by block, says which come into question; those are
scored anew in float64, one row at a time, and sorted by score, then digest. So the answer depends
on no block size and no number of threads. An approximate search only proposes other candidates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.store.nearest.index import Index, id_index

if TYPE_CHECKING:
    from pipeline.store.feature_set import FeatureSet

# Lengths at which float32 neither overflows nor underflows. Other rows have no direction.
SHORTEST, LONGEST = 1e-15, 1e15
# In the time that a row takes when it is scored by itself, the product passes this many.
RESCORE_COST = 10
# Bytes multiplied together. Rows in a file stand at odd addresses and are copied before they are
# multiplied; so many stay in the processor's cache meanwhile.
PIECE = 2**20
# Rows scored together, files that are kept mapped, views that a process remembers.
ROWS, MAPS, VIEWS = 4096, 16_384, 8


@dataclass(frozen=True)
class Neighbours:
    """Rows, best first: digests of their assets, cosines (float32), places in the view (int64)."""

    digests: list[str]
    scores: np.ndarray
    places: np.ndarray


def nearest(
    features: FeatureSet,
    query: np.ndarray | str,
    k: int,
    where: str | None = None,
    exact: bool = True,
    view: int = 0,
) -> Neighbours:
    """The k rows of a view with the largest cosine; fewer where there are fewer.

    Rows that hold a NaN or an infinity, or zeros alone, are never found.

    Parameters
    ----------
    query:
        A vector of the set's shape, or the id of a sample or asset, which is left out itself.
    where:
        A condition that rows must meet, as for `FeatureSet.to_numpy`.
    exact:
        Compare with all rows, or with those that an approximate index proposes, which is built on
        first use (see `pipeline.store.nearest.approximate`).

    Raises
    ------
    PipelineError
        The query is unknown, of another shape or without direction; k is less than 1; the view is
        empty; the set holds tensors, whose places in time do not correspond.
    """
    if k < 1:
        raise PipelineError(f"{k} neighbours were asked for; ask for 1 or more")
    _check_set(features, view)
    own = int(features.find([query], view)[0]) if isinstance(query, str) else -1
    vector = features.get(query, view)[0] if isinstance(query, str) else np.asarray(query)
    unit = _unit(vector, features)
    rows = features.places(where, view)
    few = rows is not None and RESCORE_COST * len(rows) <= features.rows(view)
    if rows is not None and few:
        found = rows
    elif exact:
        found = _candidates(features, unit, view, k + (own >= 0), rows)
    else:
        from pipeline.store.nearest.approximate import propose

        found = propose(features, unit, view, k + (own >= 0), rows)
    return _best(features, unit, view, found[found != own], k)


def scale_of(block: np.ndarray) -> np.ndarray:
    """1 ÷ length of each row of (n, D), float32 (n,); 0 where a row has no direction."""
    block = _float32(block)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", block, block))
        good = (lengths > SHORTEST) & (lengths < LONGEST)
        return np.where(good, np.float32(1) / lengths, np.float32(0))


def _check_set(features: FeatureSet, view: int) -> None:
    features.check_view(view)
    if len(features.shape) != 1 or not features.dtype.startswith("float"):
        raise PipelineError(
            f"{features.name} holds sequences ({features.dtype} {features.shape}), padded to one "
            f"length; neighbours are found between vectors: take a set of one vector a row"
        )


def _unit(vector: np.ndarray, features: FeatureSet) -> np.ndarray:
    """The query scaled to length 1, float64."""
    if vector.shape != features.shape or vector.dtype.kind not in "fiu":
        raise PipelineError(
            f"the query is {vector.dtype} {vector.shape}; {features.name} holds {features.dtype} "
            f"{features.shape}"
        )
    wide = vector.astype(np.float64)
    length = float(np.sqrt((wide * wide).sum()))
    if not SHORTEST < length < LONGEST:
        raise PipelineError(
            f"the query has no direction: it holds a NaN or an infinity, or is too short or long "
            f"to compare (length {length:g})"
        )
    unit: np.ndarray = wide / length
    return unit


def _candidates(
    features: FeatureSet, unit: np.ndarray, view: int, k: int, rows: np.ndarray | None
) -> np.ndarray:
    """Places of all rows that may be among the k best, by a float32 product with all rows.

    Rounding moves a product of D terms by at most D·2⁻²⁴ of the lengths (Higham, "Accuracy and
    Stability of Numerical Algorithms", 2002, section 3.1), the scale by half of that; either row
    of a pair may be moved. So whatever lies within 4·D·2⁻²⁴ of the k-th is taken.
    """
    known = view_cache(features, view)
    scores = np.empty(len(known.scale), np.float32)
    query = unit.astype(np.float32)
    at = 0
    with np.errstate(invalid="ignore", over="ignore"):
        for piece in known.pieces():
            np.dot(_float32(piece), query, out=scores[at : at + len(piece)])
            at += len(piece)
        scores *= known.scale
    scores[known.lost] = -np.inf
    if rows is not None:
        scores = scores[rows]
    least = -2.0
    if k < len(scores):
        margin = 4 * len(unit) * 2.0**-24
        least = max(np.partition(scores, len(scores) - k)[len(scores) - k] - margin, least)
    found = np.flatnonzero(scores >= least)
    return found if rows is None else rows[found]


def _best(
    features: FeatureSet, unit: np.ndarray, view: int, places: np.ndarray, k: int
) -> Neighbours:
    """The best k of the candidates, by their scores in float64."""
    known = view_cache(features, view)
    scores = np.empty(len(places), np.float64)
    for start in range(0, len(places), ROWS):
        some = slice(start, start + ROWS)
        values = known.vectors(places[some]).astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            lengths = np.sqrt((values * values).sum(axis=1))
            good = (lengths > SHORTEST) & (lengths < LONGEST)
            scores[some] = (values * unit).sum(axis=1) / np.where(good, lengths, np.nan)
    there = ~np.isnan(scores)
    places, rounded = places[there], np.clip(scores[there], -1, 1).astype(np.float32)
    if k < len(places):
        likely = rounded >= np.partition(rounded, len(rounded) - k)[len(rounded) - k]
        places, rounded = places[likely], rounded[likely]
    digests = np.array(known.digests(places), dtype=str)
    order = np.lexsort((digests, -rounded))[:k]
    return Neighbours(digests[order].tolist(), rounded[order], places[order])


class ViewCache:
    """What a process keeps of a view in which it has looked for neighbours."""

    def __init__(self, features: FeatureSet, view: int) -> None:
        self._features, self._view = features, view

    @cached_property
    def scale(self) -> np.ndarray:
        """`scale_of` every row, float32 (n,)."""
        return np.concatenate([scale_of(piece) for piece in self.pieces()])

    @cached_property
    def lost(self) -> np.ndarray:
        """Places of the rows without direction."""
        return np.flatnonzero(self.scale == 0)

    def pieces(self) -> Iterator[np.ndarray]:
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
        for one in np.unique(holder).tolist():
            here, block = holder == one, self._mapped[one]
            out[here] = block[places[here] - (self._ends[one] - len(block))]
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


_KNOWN: dict[object, ViewCache] = {}


def view_cache(features: FeatureSet, view: int) -> ViewCache:
    """What is known of a view; the parts' names say what they hold."""
    parts = tuple(entry.key for entry in features.parts(view))
    key = (features.tree.project.absolute(), features.name, view, parts)
    found = _KNOWN.get(key)
    if found is None:
        if len(_KNOWN) >= VIEWS:
            _KNOWN.clear()
        found = _KNOWN[key] = ViewCache(features, view)
    return found


def _float32(block: np.ndarray) -> np.ndarray:
    return block.astype(np.float32, copy=False)
