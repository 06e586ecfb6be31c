"""A finished feature set, read whole: one row an asset and view."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.manifest import read_manifest
from pipeline.store.layout import read_features


@dataclass(frozen=True)
class Features:
    """One view of one feature set.

    Parameters
    ----------
    digests:
        Asset digests (n), in the order of the rows.
    lengths:
        int32 (n,): valid steps of a sequence, 1 for a vector.
    values:
        float32 (n, *shape).
    """

    digests: list[str]
    lengths: np.ndarray
    values: np.ndarray


def load_features(folder: Path, view: int = 0) -> Features:
    """All rows of one view. A view that the set lacks has no rows."""
    digests: list[str] = []
    lengths: list[np.ndarray] = [np.empty(0, np.int32)]
    values: list[np.ndarray] = []
    empty: np.ndarray | None = None
    for entry in read_manifest(folder):
        if entry.view == view or empty is None:
            table, matrix = read_features(folder / f"{entry.key}.parquet")
            empty = matrix[:0]
            if entry.view == view:
                digests += table["digest"].to_pylist()
                lengths.append(table["length"].to_numpy())
                values.append(matrix)
    if empty is None:
        empty = np.empty((0, 0), np.float32)
    return Features(digests, np.concatenate(lengths), np.concatenate([empty, *values]))
