"""An index that proposes near rows without looking at all of them: inverted lists of faiss.

k-means cuts the directions of a set into cells; a query looks into the few cells nearest to it.
Rows stand there in 8 bits per dimension, a quarter of the set's size; what is proposed is scored by
the set's own vectors (`pipeline.store.nearest.neighbours`), so the index shapes which rows are
found and never their scores. Jégou, Douze and Schmid, "Product Quantization for Nearest Neighbor
Search" (2011).

The index is a sidecar (`pipeline.store.sidecar`). It ends in the digest of what stands before, so
that one that is damaged is built again.
"""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_file
from pipeline.parts.manifest import MANIFEST
from pipeline.store import sidecar
from pipeline.store.nearest.view_cache import view_cache
from pipeline.store.sidecar import is_sealed, seal
from pipeline.store.sql.samples import SampledFeatures

VERSION = 1
# Cells per set: this times the root of its rows. Rows by which k-means places each of them.
CELLS, SAMPLE = 2, 64
# Share of the cells that a query looks into, and how many at least.
PROBED_SHARE, MIN_PROBES = 1 / 32, 16
# Candidates for each row that is asked for; 8 bits tell neighbours apart less well than the set.
OVERFETCH, MIN_CANDIDATES = 4, 64


def propose(
    features: SampledFeatures, unit: np.ndarray, view: int, k: int, rows: np.ndarray | None = None
) -> np.ndarray:
    """Places (int64, unsorted) of rows that are likely among the k nearest to a direction.

    Parameters
    ----------
    rows:
        Places that come into question, ascending; None for all.

    Raises
    ------
    PipelineError
        faiss is not installed.
    """
    faiss, index = _faiss(), approximate_index(features, view)
    count = features.rows(view)
    cells, share, selector = index.nlist, PROBED_SHARE, None
    if rows is not None:
        chosen = np.zeros(count, np.bool_)
        chosen[rows] = True
        selector = faiss.IDSelectorBitmap(np.packbits(chosen, bitorder="little"))
        # As many rows that meet the condition as there would be rows without one.
        share *= count / len(rows)
    query, candidate_count = (
        unit.astype(np.float32)[None],
        min(max(OVERFETCH * k, MIN_CANDIDATES), count),
    )
    probes = min(cells, max(MIN_PROBES, math.ceil(cells * share)))
    while True:
        parameters = faiss.SearchParametersIVF(nprobe=probes, sel=selector)
        _, (places,) = index.search(query, candidate_count, params=parameters)
        # What is missing is -1.
        candidates: np.ndarray = places[(places >= 0) & (places < count)]
        # What meets the condition may stand in other cells.
        if len(candidates) >= k or probes == cells:
            return candidates
        probes = min(cells, 4 * probes)


def approximate_index(features: SampledFeatures, view: int) -> Any:
    """The index of a view, built where it is missing or damaged; mapped where it has a file."""
    manifest = digest_file(features.tree.file(f"{features.folder}/{MANIFEST}"))
    made_from = [VERSION, _faiss().__version__, CELLS, SAMPLE, manifest, features.name, view]
    path = sidecar.sidecar_path(features.tree, f"{features.name}@{view}@near", made_from, ".near")
    if path not in _OPENED:
        with _BUILDING:
            if path not in _OPENED:
                _OPENED[path] = sidecar.load_or_make(
                    path, _mapped, lambda: build_index(features, view), _write
                )
    return _OPENED[path]


# Indexes that this process has opened. Their names say what they are made from.
_OPENED: dict[Path, Any] = {}
# Threads of one process wait for one to build; processes do not know of each other.
_BUILDING = threading.Lock()


def build_index(features: SampledFeatures, view: int) -> Any:
    """Cells by k-means on rows spread evenly over the view, then every row with a direction."""
    faiss, cache = _faiss(), view_cache(features, view)
    places = np.flatnonzero(cache.scale)
    cells = max(1, min(len(places), round(CELLS * math.sqrt(len(places)))))
    index = faiss.index_factory(features.shape[0], f"IVF{cells},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.cp.min_points_per_centroid = 1
    positions = np.linspace(0, len(places) - 1, min(SAMPLE * cells, len(places))).astype(np.int64)
    sample = places[positions]
    directions = cache.vectors(sample).astype(np.float32) * cache.scale[sample, None]
    # k-means wants a row, also of a set that has none with a direction.
    index.train(directions if len(sample) else np.eye(1, *features.shape, dtype=np.float32))
    at = 0
    for block in cache.chunks():
        scale = cache.scale[at : at + len(block)]
        directed = np.flatnonzero(scale)
        rows = block[directed].astype(np.float32, copy=False) * scale[directed, None]
        index.add_with_ids(rows, directed + at)
        at += len(block)
    return index


def _write(index: Any, path: Path) -> None:
    _faiss().write_index(index, str(path))
    seal(path)


def _mapped(path: Path) -> Any:
    """An index as it lies in its file; None where there is none that is whole."""
    faiss = _faiss()
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP) if is_sealed(path) else None
    except (OSError, ValueError, RuntimeError):
        return None
    if index is not None:
        # By default each query starts up to 32 threads that read ahead.
        faiss.downcast_InvertedLists(index.invlists).prefetch_nthread = 0
    return index


def _faiss() -> Any:
    try:
        import faiss
    except ModuleNotFoundError:
        raise PipelineError(
            "an approximate search needs faiss: pip install 'multimodal-pipeline[search]'; "
            "an exact one needs nothing"
        ) from None
    return faiss
