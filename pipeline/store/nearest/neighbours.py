"""The rows of a feature set that lie nearest to a vector, by cosine.

A matrix product over the mapped rows, block by block, says which come into question; those are
scored anew in float64, one row at a time, and sorted by score, then digest. So the answer depends
on no block size and no number of threads. An approximate search only proposes other candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.store.nearest.approximate import propose
from pipeline.store.nearest.view_cache import LONGEST, SHORTEST, float32, view_cache
from pipeline.store.sql.samples import SampledFeatures

# In the time that a row takes when it is scored by itself, the product passes this many.
RESCORE_COST = 10
# Rows scored together.
ROWS = 4096


@dataclass(frozen=True)
class Neighbours:
    """Rows, best first: digests of their assets, cosines (float32), places in the view (int64)."""

    digests: list[str]
    scores: np.ndarray
    places: np.ndarray


def nearest_rows(
    features: SampledFeatures,
    vector: np.ndarray,
    k: int,
    rows: np.ndarray | None = None,
    exact: bool = True,
    view: int = 0,
    without: int = -1,
) -> Neighbours:
    """The k rows of a view with the largest cosine; fewer where there are fewer.

    Rows that hold a NaN or an infinity, or zeros alone, are never found.

    Parameters
    ----------
    vector:
        Of the set's shape.
    rows:
        Places that come into question, ascending; None for all.
    exact:
        Compare with all rows, or with those that an approximate index proposes, which is built on
        first use (see `pipeline.store.nearest.approximate`).
    without:
        A place that is left out; -1 for none.

    Raises
    ------
    PipelineError
        The vector is of another shape or without direction.
    """
    unit = _unit(vector, features)
    few = rows is not None and RESCORE_COST * len(rows) <= features.rows(view)
    if rows is not None and few:
        candidates = rows
    elif exact:
        candidates = _candidates(features, unit, view, k + (without >= 0), rows)
    else:
        candidates = propose(features, unit, view, k + (without >= 0), rows)
    return _best(features, unit, view, candidates[candidates != without], k)


def check_set(features: SampledFeatures, view: int, k: int) -> None:
    """Whether neighbours can be asked for; a PipelineError says why not."""
    if k < 1:
        raise PipelineError(f"{k} neighbours were asked for; ask for 1 or more")
    features.check_view(view)
    if len(features.shape) != 1 or not features.dtype.startswith("float"):
        raise PipelineError(
            f"{features.name} holds sequences ({features.dtype} {features.shape}), padded to one "
            f"length; neighbours are found between vectors: take a set of one vector per row"
        )


def _unit(vector: np.ndarray, features: SampledFeatures) -> np.ndarray:
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
    features: SampledFeatures, unit: np.ndarray, view: int, k: int, rows: np.ndarray | None
) -> np.ndarray:
    """Places of all rows that may be among the k best, by a float32 product with all rows.

    Rounding moves a product of D terms by at most D·2⁻²⁴ of the lengths (Higham, "Accuracy and
    Stability of Numerical Algorithms", 2002, section 3.1), the scale by half of that; either row
    of a pair may be moved. So whatever lies within 4·D·2⁻²⁴ of the k-th is taken.
    """
    cache = view_cache(features, view)
    scores = np.empty(len(cache.scale), np.float32)
    query = unit.astype(np.float32)
    at = 0
    with np.errstate(invalid="ignore", over="ignore"):
        for piece in cache.chunks():
            np.dot(float32(piece), query, out=scores[at : at + len(piece)])
            at += len(piece)
        scores *= cache.scale
    scores[cache.without_direction] = -np.inf
    if rows is not None:
        scores = scores[rows]
    threshold = -2.0
    if k < len(scores):
        margin = 4 * len(unit) * 2.0**-24
        threshold = max(np.partition(scores, len(scores) - k)[len(scores) - k] - margin, threshold)
    candidates = np.flatnonzero(scores >= threshold)
    return candidates if rows is None else rows[candidates]


def _best(
    features: SampledFeatures, unit: np.ndarray, view: int, places: np.ndarray, k: int
) -> Neighbours:
    """The best k of the candidates, by their scores in float64."""
    cache = view_cache(features, view)
    scores = np.empty(len(places), np.float64)
    for start in range(0, len(places), ROWS):
        block = slice(start, start + ROWS)
        values = cache.vectors(places[block]).astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            lengths = np.sqrt((values * values).sum(axis=1))
            good = (lengths > SHORTEST) & (lengths < LONGEST)
            scores[block] = (values * unit).sum(axis=1) / np.where(good, lengths, np.nan)
    directed = ~np.isnan(scores)
    places, rounded = places[directed], np.clip(scores[directed], -1, 1).astype(np.float32)
    if k < len(places):
        likely = rounded >= np.partition(rounded, len(rounded) - k)[len(rounded) - k]
        places, rounded = places[likely], rounded[likely]
    digests = np.array(cache.digests(places), dtype=str)
    order = np.lexsort((digests, -rounded))[:k]
    return Neighbours(digests[order].tolist(), rounded[order], places[order])
