"""From ids to places: a sorted sidecar beside the store, built on demand, mapped when used.

It holds 64-bit hashes in order, the places they stand for, and the ids themselves, by which a hit
is checked. It is named by the digest of the manifests it was made from, so a stale one is never
opened; one that cannot be read is made again. It ends in the digest of what stands before, by which
`pipeline validate` knows it. Two builders make the same file, and the later rename wins. Deleting
the folder costs the time to build it again.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.digest import digest_file, digest_json
from pipeline.manifest import MANIFEST
from pipeline.replacing import replacing

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from pipeline.store.handle import FeatureSet

FOLDER = Path(".pipeline", "store")
VERSION = 2
DIGEST_BYTES = 32


@dataclass(frozen=True)
class Index:
    """Ids and their places. `hashes` is ascending; row i stands for ids[i], at places[i]."""

    hashes: np.ndarray
    places: np.ndarray
    ids: pa.Array

    def find(self, ids: Sequence[str]) -> np.ndarray:
        """Places of ids, int64, -1 where there is none."""
        import numpy as np

        wanted = hashes_of(ids)
        found = np.full(len(wanted), -1, np.int64)
        at = np.searchsorted(self.hashes, wanted)
        open_ = np.flatnonzero(at < len(self.hashes))
        # Two ids of one hash stand side by side; who asks for the second looks one further.
        while len(open_):
            open_ = open_[self.hashes[at[open_]] == wanted[open_]]
            same = np.array([self.ids[int(at[i])].as_py() == ids[i] for i in open_], dtype=np.bool_)
            found[open_[same]] = self.places[at[open_[same]]]
            open_ = open_[~same]
            at[open_] += 1
            open_ = open_[at[open_] < len(self.hashes)]
        return found


def index_of(features: FeatureSet, view: int, kind: str) -> Index:
    """Where the rows of one view stand: by `digest`, or by the `sample_id` that shows them."""
    tree = features.tree
    made_from = [f"{features.folder}/{MANIFEST}"]
    if kind == "sample_id":
        made_from.append(f"curated/{MANIFEST}")
    digests = [digest_file(tree.file(path)) for path in made_from]
    name = digest_json([VERSION, digests, features.modality, view, kind])[:32]
    path = tree.project.absolute() / FOLDER / f"{name}.ids"
    if path not in _OPENED:
        _OPENED[path] = opened(path, lambda: _pairs(features, view, kind))
    return _OPENED[path]


# Indexes that this process has mapped. Their names say what they are made from.
_OPENED: dict[Path, Index] = {}


def opened(path: Path, pairs: Callable[[], tuple[pa.Array, np.ndarray]]) -> Index:
    """The index in a file, which is built where it is missing or damaged.

    Where the folder cannot be written, the index stays in memory.
    """
    found = _mapped(path)
    if found is not None:
        return found
    table = _sorted(*pairs())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            _write(table, temporary)
    except OSError:
        return _of(table)
    return _mapped(path) or _of(table)


def seal(path: Path) -> None:
    """Let a sidecar end in the SHA-256 of what stands in it."""
    digest = bytes.fromhex(digest_file(path))
    with path.open("ab") as file:
        file.write(digest)


def is_sealed(path: Path) -> bool:
    """Whether a sidecar ends in the digest of what stands before: every byte is read."""
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        content = memoryview(data)
        whole = hashlib.sha256(content[:-DIGEST_BYTES]).digest() == content[-DIGEST_BYTES:]
        content.release()
    return whole


def hashes_of(ids: Iterable[str]) -> np.ndarray:
    """The first 64 bits of each id's BLAKE2b."""
    import numpy as np

    hashed = b"".join(hashlib.blake2b(one.encode(), digest_size=8).digest() for one in ids)
    return np.frombuffer(hashed, np.uint64)


def _pairs(features: FeatureSet, view: int, kind: str) -> tuple[pa.Array, np.ndarray]:
    """Ids and the places they stand for."""
    import numpy as np
    import pyarrow.compute as pc

    digests = features.columns(["digest"], view)["digest"].combine_chunks()
    if kind == "digest":
        return digests, np.arange(len(digests))
    samples = features.samples()
    rows = pc.index_in(samples[features.modality], value_set=digests)
    there = rows.is_valid()
    return samples["sample_id"].filter(there), rows.filter(there).to_numpy().astype(np.int64)


def _sorted(ids: pa.Array, places: np.ndarray) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    hashes = hashes_of(ids.to_pylist())
    order = np.argsort(hashes, kind="stable")
    columns = [pa.array(hashes[order]), pa.array(places[order]), ids.take(pa.array(order))]
    return pa.table(columns, ["hash", "place", "id"]).combine_chunks()


def _write(table: pa.Table, path: Path) -> None:
    import pyarrow as pa

    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    seal(path)


def _mapped(path: Path) -> Index | None:
    """An index as it lies in its file; None where there is none that can be read."""
    import pyarrow as pa

    try:
        whole = pa.memory_map(str(path)).read_buffer()
        return _of(pa.ipc.open_file(whole.slice(0, len(whole) - DIGEST_BYTES)).read_all())
    except (OSError, ValueError, LookupError):
        return None


def _of(table: pa.Table) -> Index:
    import numpy as np

    (batch,) = table.to_batches()
    # Not by to_numpy, which imports pandas where there is one: 0.3 s.
    hashes = np.frombuffer(batch["hash"].buffers()[1], np.uint64, batch.num_rows)
    places = np.frombuffer(batch["place"].buffers()[1], np.int64, batch.num_rows)
    return Index(hashes, places, batch["id"])
