"""A feature set as it is stored: its parts in order, their columns and their vectors."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import PipelineError
from pipeline.core.files.documents import reading
from pipeline.core.folders import FEATURES
from pipeline.parts.manifest import MANIFEST, load_manifest
from pipeline.parts.part import Entry
from pipeline.store.format.vectors import Vectors, vectors_of
from pipeline.store.trees.tree import Tree

PART_COLUMNS = ("digest", "key", "view", "length")
MANIFEST_COLUMNS = ("source", "batch")


def table_of(tree: Tree, folder: str, columns: Sequence[str] | None = None) -> pa.Table:
    """All rows of a table such as `curated`, in the manifest's order."""

    tables = []
    for entry in load_manifest(tree.file(f"{folder}/{MANIFEST}")):
        path = tree.file(f"{folder}/{entry.key}.parquet")
        with reading(path), pq.ParquetFile(path) as file:
            tables.append(file.read(columns=columns).replace_schema_metadata())
    return pa.concat_tables(tables) if tables else pa.table({})


@dataclass(frozen=True)
class StoredFeatures:
    """One feature set of a tree. A handle opens nothing until it is asked, and holds nothing open.

    Rows are in the manifest's order: by source, batch, view, digest. `view` is 0 for the assets
    themselves, 1..k for their augmented versions, None for all.
    """

    tree: Tree
    name: str

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The parts that have rows."""
        path = self.tree.file(f"{self.folder}/{MANIFEST}")
        return tuple(entry for entry in load_manifest(path) if entry.rows)

    @property
    def folder(self) -> str:
        return f"{FEATURES}/{self.name}"

    def parts(self, view: int | None = 0) -> list[Entry]:
        """The parts of one view."""
        return [entry for entry in self.entries if view in (None, entry.view)]

    def rows(self, view: int | None = 0) -> int:
        """How many rows a view has."""
        return sum(entry.rows for entry in self.parts(view))

    @cached_property
    def _manifest(self) -> Mapping[str, Any]:
        manifest: Mapping[str, Any] = json.loads(
            self.tree.file(f"{self.folder}/{MANIFEST}").read_text(encoding="utf-8")
        )
        return manifest

    @property
    def processor(self) -> str:
        """The name of what computed the rows."""
        return str(self._manifest["function"]["processor"])

    @property
    def views(self) -> list[int]:
        """The views that the set has."""
        return sorted({entry.view for entry in self.entries})

    def check_view(self, view: int) -> None:
        """Let through a view that the set has, and tell which there are."""
        if view not in self.views:
            raise PipelineError(
                f"{self.name} ({self.tree.name}) has no rows in view {view}; its views: "
                f"{', '.join(map(str, self.views)) or 'none'}"
            )

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """The shape of one row."""
        return self._vectors(self.entries[0]).shape if self.entries else (0,)

    @cached_property
    def dtype(self) -> str:
        """float32, float16 or int32."""
        return self._vectors(self.entries[0]).dtype if self.entries else "float32"

    def rows_in(self, nbytes: int) -> int:
        """How many vectors so many bytes hold; at least one."""
        return max(1, nbytes // max(math.prod(self.shape) * np.dtype(self.dtype).itemsize, 1))

    def columns(self, names: Sequence[str], view: int | None = 0) -> pa.Table:
        """Columns of a view's rows without their vectors: `digest`, `key`, `view`, `length`,
        and `source` and `batch`, those that the asset belongs to."""

        read = [name for name in names if name in PART_COLUMNS and name != "view"]
        tables = []
        for entry in self.parts(view):
            constants = {"source": entry.source, "batch": entry.batch, "view": entry.view}
            if read:
                path = self.path(entry)
                with reading(path), pq.ParquetFile(path) as file:
                    table = file.read(columns=read, use_threads=False).replace_schema_metadata()
            else:
                table = pa.table({"rows": pa.nulls(entry.rows)})
            for name in names:
                if name not in read:
                    kind = pa.int32() if name == "view" else pa.string()
                    value = pa.repeat(pa.scalar(constants[name], kind), entry.rows)
                    table = table.append_column(name, value)
            tables.append(table.select(list(names)))
        if tables:
            return pa.concat_tables(tables)
        ints = ("view", "length")
        kinds = {name: pa.int32() if name in ints else pa.string() for name in names}
        # As the parts have them: what is read is never null, what is added might be.
        fields = [pa.field(name, kind, name not in read) for name, kind in kinds.items()]
        return pa.schema(fields).empty_table()

    def matrix(self, rows: np.ndarray | None = None, view: int | None = 0) -> np.ndarray:
        """Vectors, (n, *shape): of all rows, or of those at the given places, in their order."""
        count = self.rows(view) if rows is None else len(rows)
        out = np.empty((count, *self.shape), self.dtype)
        if rows is None:
            at = 0
            for entry in self.parts(view):
                self._checked(entry).read_into(out[at : at + entry.rows])
                at += entry.rows
        else:
            self.fill(out, np.asarray(rows), view)
        return out

    def fill(self, out: np.ndarray, rows: np.ndarray, view: int | None = 0) -> None:
        """Put vectors at the given places into `out`; a place of -1 leaves its row as it is."""
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
        first = 0
        for entry in self.parts(view):
            low, high = np.searchsorted(ordered, (first, first + entry.rows))
            if low < high:
                self._checked(entry).take(ordered[low:high] - first, out, order[low:high])
            first += entry.rows

    def blocks(self, view: int | None = 0) -> Iterator[np.ndarray]:
        """All vectors in order, read-only, mapped and not copied where their layout allows it."""
        for entry in self.parts(view):
            yield from self._checked(entry).blocks()

    def _checked(self, entry: Entry) -> Vectors:
        vectors = self._vectors(entry)
        if (vectors.shape, vectors.dtype) != (self.shape, self.dtype):
            raise PipelineError(
                f"{self.name}: {vectors.path} holds {vectors.dtype} {vectors.shape}, the set's "
                f"first part {self.dtype} {self.shape}"
            )
        return vectors

    def _vectors(self, entry: Entry) -> Vectors:
        if entry.key not in self._opened:
            self._opened[entry.key] = vectors_of(self.path(entry))
        return self._opened[entry.key]

    @cached_property
    def _opened(self) -> dict[str, Vectors]:
        return {}

    def path(self, entry: Entry) -> Path:
        """A part's file, of the size that the manifest says.

        Raises
        ------
        PipelineError
            It is missing, or of another size.
        """
        path = self.tree.file(f"{self.folder}/{entry.key}.parquet")
        size = path.stat().st_size
        if size != entry.bytes:
            raise PipelineError(
                f"{path} has {size} bytes and its manifest says {entry.bytes}: `dvc checkout "
                f"--force data/{self.folder}` brings it back from the cache"
            )
        return path
