"""Cleaned contents by digest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.core.files.documents import reading
from pipeline.core.folders import CLEAN
from pipeline.modalities import content_of
from pipeline.parts.manifest import MANIFEST, load_manifest

if TYPE_CHECKING:
    from collections.abc import Set

    from pipeline.store.trees.tree import Tree


def read_contents(tree: Tree, modality: str, digests: Set[str]) -> dict[str, Any]:
    """Digest → content of a modality's assets, for those that cleaning passed."""

    folder = f"{CLEAN}/{modality}"
    if not digests or MANIFEST not in tree.names(folder):
        return {}
    unpack = content_of(modality).unpack
    digest_array = pa.array(sorted(digests), pa.string())
    content_by_digest: dict[str, Any] = {}
    for entry in load_manifest(tree.file(f"{folder}/{MANIFEST}")):
        if len(content_by_digest) == len(digests):
            break
        path = tree.file(f"{folder}/{entry.key}.parquet")
        with reading(path), pq.ParquetFile(path) as file:
            matches = pc.is_in(file.read(columns=["digest"])["digest"], digest_array)
            if pc.any(matches).as_py():
                rows = file.read(columns=["digest", "shape", "data"]).filter(matches).to_pylist()
                content_by_digest |= {
                    row["digest"]: unpack(row["data"], row["shape"]) for row in rows
                }
    return content_by_digest
