"""Whether two ways of doing the work came to the same numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

Vectors = dict[str, np.ndarray]


class ParityError(Exception):
    """A peer computed something else, so that its time would say nothing."""


@dataclass(frozen=True)
class Distance:
    """Of all rows: the smallest cosine, the largest difference, and whether the bits are equal."""

    rows: int
    cosine: float
    largest: float
    equal: bool


def vectors(folder: Path) -> Vectors:
    """Digest → vector, from all Parquet files below a folder."""
    import pyarrow.parquet as pq

    found: Vectors = {}
    for path in sorted(folder.rglob("*.parquet")):
        rows = pq.ParquetFile(path).read(columns=["digest", "vector"])
        values = [np.asarray(value, np.float32) for value in rows["vector"].to_pylist()]
        found.update(zip(rows["digest"].to_pylist(), values, strict=True))
    return found


def distance(ours: Vectors, theirs: Vectors) -> Distance:
    """How far apart the vectors of our rows are.

    Raises ParityError where a row of ours is missing or has another length.
    """
    missing = ours.keys() - theirs.keys()
    if missing or not ours:
        raise ParityError(f"{len(missing)} of {len(ours)} rows are missing")
    if any(len(ours[key]) != len(theirs[key]) for key in ours):
        raise ParityError("vectors are of another length")
    pairs = [(ours[key], theirs[key]) for key in sorted(ours)]
    a, b = (np.stack(side).astype(np.float64) for side in zip(*pairs, strict=True))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return Distance(
        rows=len(pairs),
        cosine=float(((a * b).sum(1) / norms).min()),
        largest=float(np.abs(a - b).max()),
        equal=all(np.array_equal(x, y) for x, y in pairs),
    )


def check(peer: str, found: Distance, least_cosine: float | None) -> None:
    """Hold a peer to equal bits, or to a cosine where it does not call our kernels."""
    if least_cosine is None and not found.equal:
        raise ParityError(f"{peer}: its vectors are not ours, bit by bit ({found})")
    if least_cosine is not None and found.cosine < least_cosine:
        raise ParityError(f"{peer}: cosine {found.cosine:.4f}, wanted at least {least_cosine}")
