"""A feature set as points in the plane: its first two principal components."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pipeline.core.errors import PipelineError
from pipeline.store.trees.consistent_read import consistent_read

if TYPE_CHECKING:
    from pipeline.store.feature_set import FeatureSet

# Dimensions whose covariances are a matrix of half a gigabyte.
WIDEST = 8192
# Bytes of vectors that are held at once.
BLOCK = 2**24


def principal_components(
    features: FeatureSet, where: str | None = None, view: int | None = 0
) -> np.ndarray:
    """Rows in two dimensions, float64 (n, 2), from the covariances of all rows chosen.

    Signs are such that each axis' largest weight is positive, so that equal rows give one map.

    Raises
    ------
    PipelineError
        The rows are too wide, or too few.
    """
    from scipy.linalg import eigh

    width = math.prod(features.shape)
    if width > WIDEST:
        raise PipelineError(
            f"{features.name} has {width} values per row; a map has room for {WIDEST}"
        )
    size = max(1, BLOCK // (8 * width))
    count, total, products = 0, np.zeros(width), np.zeros((width, width))
    for block in features.batches(size, where, view):
        flat = block.reshape(len(block), width).astype(np.float64)
        count, total = count + len(flat), total + flat.sum(0)
        products += flat.T @ flat
    if count < 2 or width < 2:
        raise PipelineError(f"{count} rows of {width} values make no map: two of each are needed")
    mean = total / count
    _, axes = eigh(products / count - np.outer(mean, mean), subset_by_index=(width - 2, width - 1))
    axes = axes[:, ::-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), [0, 1]])
    return np.concatenate(
        [
            (block.reshape(len(block), width) - mean) @ axes
            for block in features.batches(size, where, view)
        ]
    )


@consistent_read
def pca_table(features: FeatureSet, where: str | None = None, view: int | None = 0) -> pa.Table:
    """One row per point: digest, source, batch, and x and y by `principal_components`."""
    rows = features.to_arrow(["digest", "source", "batch"], where, view)
    axes = principal_components(features, where, view)
    return rows.append_column("x", pa.array(axes[:, 0])).append_column("y", pa.array(axes[:, 1]))
