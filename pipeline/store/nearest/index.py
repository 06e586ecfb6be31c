"""From ids to places: a sorted sidecar beside the store, built on demand, mapped when used.

It holds 64-bit hashes in order, the places they stand for, and the ids themselves, by which a hit
is checked. See `pipeline.store.sidecar`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.files.digest import digest_file
from pipeline.core.folders import CURATED
from pipeline.parts.manifest import MANIFEST
from pipeline.store import sidecar
from pipeline.store.sidecar import DIGEST_BYTES, seal
from pipeline.store.sql.samples import SampledFeatures

VERSION = 2


@dataclass(frozen=True)
class Index:
    """Ids and their places. `hashes` is ascending; row i stands for ids[i], at places[i]."""

    hashes: np.ndarray
    places: np.ndarray
    ids: pa.Array

    def find(self, ids: Sequence[str]) -> np.ndarray:
        """Places of ids, int64, -1 where there is none."""
        wanted_hashes = hashes_of(ids)
        found_places = np.full(len(wanted_hashes), -1, np.int64)
        at = np.searchsorted(self.hashes, wanted_hashes)
        pending = np.flatnonzero(at < len(self.hashes))
        # Two ids of one hash stand side by side; who asks for the second looks one further.
        while len(pending):
            pending = pending[self.hashes[at[pending]] == wanted_hashes[pending]]
            same = np.array(
                [self.ids[int(at[i])].as_py() == ids[i] for i in pending], dtype=np.bool_
            )
            found_places[pending[same]] = self.places[at[pending[same]]]
            pending = pending[~same]
            at[pending] += 1
            pending = pending[at[pending] < len(self.hashes)]
        return found_places


def id_index(features: SampledFeatures, view: int, kind: str) -> Index:
    """Where the rows of one view stand: by `digest`, or by the `sample_id` that shows them."""
    tree = features.tree
    manifests = [f"{features.folder}/{MANIFEST}"]
    if kind == "sample_id":
        manifests.append(f"{CURATED}/{MANIFEST}")
    digests = [digest_file(tree.file(path)) for path in manifests]
    made_from = [VERSION, digests, features.modality, view, kind]
    path = sidecar.sidecar_path(tree, f"{features.name}@{view}@{kind}", made_from, ".ids")
    if path not in _OPENED:
        _OPENED[path] = open_index(path, lambda: _pairs(features, view, kind))
    return _OPENED[path]


# Indexes that this process has mapped. Their names say what they are made from.
_OPENED: dict[Path, Index] = {}


def open_index(path: Path, pairs: Callable[[], tuple[pa.Array, np.ndarray]]) -> Index:
    """The index in a file, which is built where it is missing or damaged."""
    return sidecar.load_or_make(path, _mapped, lambda: _sorted(*pairs()), _write)


def hashes_of(ids: Iterable[str]) -> np.ndarray:
    """The first 64 bits of each id's BLAKE2b."""
    hashed = b"".join(
        hashlib.blake2b(identifier.encode(), digest_size=8).digest() for identifier in ids
    )
    return np.frombuffer(hashed, np.uint64)


def _pairs(features: SampledFeatures, view: int, kind: str) -> tuple[pa.Array, np.ndarray]:
    """Ids and the places they stand for."""

    digests = features.columns(["digest"], view)["digest"].combine_chunks()
    if kind == "digest":
        return digests, np.arange(len(digests))
    samples = features.samples()
    rows = pc.index_in(samples[features.modality], value_set=digests)
    shown = rows.is_valid()
    return samples["sample_id"].filter(shown), rows.filter(shown).to_numpy().astype(np.int64)


def _sorted(ids: pa.Array, places: np.ndarray) -> Index:

    hashes = hashes_of(ids.to_pylist())
    order = np.argsort(hashes, kind="stable")
    return Index(hashes[order], places[order], ids.take(pa.array(order)))


def _write(index: Index, path: Path) -> None:
    columns = [pa.array(index.hashes), pa.array(index.places), index.ids]
    table = pa.table(columns, ["hash", "place", "id"])
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    seal(path)


def _mapped(path: Path) -> Index | None:
    """An index as it lies in its file; None where there is none that can be read."""
    try:
        content = pa.memory_map(str(path)).read_buffer()
        return _of(pa.ipc.open_file(content.slice(0, len(content) - DIGEST_BYTES)).read_all())
    except (OSError, ValueError, LookupError):
        return None


def _of(table: pa.Table) -> Index:
    hashes, places, ids = (column.combine_chunks() for column in table.columns)
    # Not by to_numpy, which imports pandas where there is one: 0.3 s.
    return Index(_numbers(hashes, np.uint64), _numbers(places, np.int64), ids)


def _numbers(column: pa.Array, dtype: type[np.generic]) -> np.ndarray:
    # Of no rows there may be no buffer.
    return np.frombuffer(column.buffers()[1] or b"", dtype, len(column))
