"""What a feature set is, and what its values are like."""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.store.format.layout import VECTOR
from pipeline.store.trees.consistent_read import consistent_read

if TYPE_CHECKING:
    from pipeline.store.feature_set import FeatureSet
    from pipeline.store.store import Store

SUMMARY_COLUMNS = (
    "name", "modality", "encoder", "rows", "views", "shape", "dtype", "bytes", "provenance",
)  # fmt: skip
ROW_COLUMNS = ("digest", "view", "length", "source", "batch")
# Bytes of vectors that are held at once.
BLOCK = 2**24


def summaries(store: Store) -> Iterator[dict[str, Any]]:
    """One record per feature set: `SUMMARY_COLUMNS`.

    `rows` are those of view 0, `bytes` those of all views; `provenance` begins the digest of the
    function that made it.
    """
    for name in store:
        yield _summary(store[name])


@consistent_read
def _summary(features: FeatureSet) -> dict[str, Any]:
    return {
        "name": features.name,
        "modality": features.section.get("modality", ""),
        "encoder": features.section.get("encoder", ""),
        "rows": len(features),
        "views": len(features.views),
        "shape": list(features.shape),
        "dtype": features.dtype,
        "bytes": sum(entry.bytes for entry in features.entries),
        "provenance": features.digest[:8],
    }


@consistent_read
def describe_set(features: FeatureSet) -> dict[str, Any]:
    """`schema`: column → type; `provenance`; `parts`: counted by source, batch and view."""
    groups: dict[tuple[str, str, int], dict[str, int]] = {}
    for entry in features.entries:
        empty = {"parts": 0, "rows": 0, "rejected": 0, "bytes": 0}
        group = groups.setdefault((entry.source, entry.batch, entry.view), empty)
        group["parts"] += 1
        for name in ("rows", "rejected", "bytes"):
            group[name] += getattr(entry, name)
    return {
        "schema": {field.name: str(field.type) for field in features.schema},
        "shape": list(features.shape),
        "provenance": features.provenance,
        "parts": [
            {"source": source, "batch": batch, "view": view, **counts}
            for (source, batch, view), counts in groups.items()
        ],
    }


@consistent_read
def value_statistics(
    features: FeatureSet, where: str | None = None, view: int | None = 0
) -> dict[str, Any]:
    """Figures of a set's values, read block by block: beside one block, 16 bytes per row are held.

    `norm` is a vector's Euclidean length; means and deviations are those of single dimensions over
    the rows (float64; Chan, Golub, LeVeque 1979), of which lowest, middle and highest are told.
    Rows with a value that is not finite count in `nan` and `infinite` (values), and nowhere else.
    `duplicates` are rows equal, bit by bit, to an earlier one.
    """
    width = math.prod(features.shape)
    moments, rows, nan, infinite, hashes = _Moments(width), 0, 0, 0, [b""]
    for batch in features.batches(features.rows_in(BLOCK), where, view):
        block = batch.reshape(len(batch), width)
        rows += len(block)
        hashes.append(
            b"".join(hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in block)
        )
        nan += int(np.isnan(block).sum())
        infinite += int(np.isinf(block).sum())
        moments.add(block[np.isfinite(block).all(1)].astype(np.float64))
    norms = np.concatenate(moments.norms)
    return {
        "rows": rows,
        "dimensions": width,
        "dtype": features.dtype,
        "nan": nan,
        "infinite": infinite,
        "duplicates": rows - len(np.unique(np.frombuffer(b"".join(hashes), np.uint64))),
        "zero": int((norms == 0).sum()),
        "constant_dimensions": int((moments.lowest == moments.highest).sum()),
        "norm": _spread(norms),
        "mean": _spread(moments.mean[: width if moments.rows else 0]),
        "deviation": _spread(moments.deviation[: width if moments.rows else 0]),
    }


class _Moments:
    """Bounds, means and deviations of dimensions, float64 (width,), and the norms of rows."""

    def __init__(self, width: int) -> None:
        self.rows = 0
        self.mean, self._squares = np.zeros(width), np.zeros(width)
        self.lowest, self.highest = np.full(width, np.inf), np.full(width, -np.inf)
        self.norms = [np.empty(0)]

    def add(self, block: np.ndarray) -> None:
        """Take in rows, finite float64 (n, width); Chan, Golub and LeVeque 1979."""
        if not len(block):
            return
        self.norms.append(np.linalg.norm(block, axis=1))
        self.lowest = np.minimum(self.lowest, block.min(0))
        self.highest = np.maximum(self.highest, block.max(0))
        mean = block.mean(0)
        step = mean - self.mean
        share = len(block) / (self.rows + len(block))
        self._squares += ((block - mean) ** 2).sum(0) + step**2 * self.rows * share
        self.mean += step * share
        self.rows += len(block)

    @property
    def deviation(self) -> np.ndarray:
        return np.sqrt(self._squares / max(self.rows, 1))


def _spread(values: np.ndarray) -> dict[str, float | None]:
    if not len(values):
        return dict.fromkeys(("lowest", "median", "highest"))
    quantiles = np.quantile(values, [0, 0.5, 1]).tolist()
    return dict(zip(("lowest", "median", "highest"), quantiles, strict=True))


def sample_places(
    features: FeatureSet, count: int, seed: int, where: str | None = None, view: int = 0
) -> np.ndarray:
    """Places of `count` rows, int64, drawn by a hash of (seed, digest).

    So the draw knows no order: of a store that has grown, it holds the same rows as before and
    those newcomers that outrank them.
    """
    digests = features.columns(["digest"], view)["digest"].to_pylist()
    places = features.places(where, view)
    chosen = range(len(digests)) if places is None else places.tolist()
    ranked = ((_rank(seed, digests[place]), place) for place in chosen)
    return np.array([place for _, place in heapq.nsmallest(count, ranked)], np.int64)


def _rank(seed: int, digest: str) -> bytes:
    return hashlib.sha256(f"{seed}\x1f{digest}".encode()).digest()


@consistent_read
def first_rows(
    features: FeatureSet, count: int, where: str | None = None, view: int = 0
) -> list[dict[str, Any]]:
    """The first rows for which a condition holds: `ROW_COLUMNS` and the vector, an array."""
    places = features.places(where, view)
    if places is None:
        places = np.arange(features.rows(view))
    return list(_rows_at(features, places[:count], view))


@consistent_read
def sampled_rows(
    features: FeatureSet, count: int, seed: int, where: str | None = None, view: int = 0
) -> list[dict[str, Any]]:
    """Rows drawn as by `sample_places`, in the form of `first_rows`."""
    return list(_rows_at(features, sample_places(features, count, seed, where, view), view))


def _rows_at(features: FeatureSet, places: np.ndarray, view: int) -> Iterator[dict[str, Any]]:
    table = features.columns(ROW_COLUMNS, view).take(places)
    for row, vector in zip(table.to_pylist(), features.matrix(places, view), strict=True):
        yield {**row, VECTOR: vector}


@consistent_read
def samples_showing(
    features: FeatureSet, digests: Sequence[str], where: str | None = None, view: int = 0
) -> dict[str, list[str]]:
    """Asset digest → ids of the samples that show it and meet a condition, in their order."""

    from pipeline.store.sql.samples import samples_where

    samples = features.samples() if where is None else samples_where(features, where, view)
    samples = samples.select(["sample_id", features.modality])
    showing = samples.filter(pc.is_in(samples[features.modality], value_set=pa.array(digests)))
    sample_ids: dict[str, list[str]] = {digest: [] for digest in digests}
    for row in showing.to_pylist():
        sample_ids[row[features.modality]].append(row["sample_id"])
    return sample_ids
