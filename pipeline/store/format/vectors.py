"""The vectors of one file: read where they lie, or decoded where that cannot be proven."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import PipelineError
from pipeline.core.files.documents import damaged, reading
from pipeline.store.format.layout import VECTOR
from pipeline.store.format.pages import Extent, extents

# Fewer rows than one in so many are read one by one, since a mapping faults in far more than they.
SPARSE = 16
# Bytes that are gathered before they are put into place: they stay in the processor's cache.
BLOCK = 2**19


@dataclass(frozen=True)
class Vectors:
    """Vectors of one file, (rows, *shape) of `dtype`; `extents` is None where pyarrow decodes."""

    path: Path
    rows: int
    shape: tuple[int, ...]
    dtype: str
    extents: tuple[Extent, ...] | None

    def read_into(self, out: np.ndarray) -> None:
        """Read all into a C-contiguous array of their shape.

        By read(2) and not by a mapping: the kernel copies in one go, without one fault per page.
        """
        if self.extents is None:
            out[...] = decode(self.path, self.shape)
            return
        flat = out.reshape(-1).view("u1").data
        at, row_bytes = 0, self._row_bytes
        with self.path.open("rb", buffering=0) as file:
            for extent in self.extents:
                file.seek(extent.offset)
                end = at + extent.rows * row_bytes
                while at < end:
                    read = file.readinto(flat[at:end])
                    if not read:
                        raise damaged(self.path)
                    at += read

    def take(self, rows: np.ndarray, out: np.ndarray, places: np.ndarray) -> None:
        """Read some rows, in any order, into the given places of (n, *shape)."""
        if self.extents is None:
            out[places] = decode(self.path, self.shape)[rows]
            return
        first, step = 0, max(BLOCK // self._row_bytes, 1)
        for extent in self.extents:
            in_extent = (rows >= first) & (rows < first + extent.rows)
            extent_rows, targets = rows[in_extent] - first, places[in_extent]
            if len(extent_rows) * SPARSE < extent.rows:
                out[targets] = self._read_rows(extent, extent_rows)
            else:
                mapped = self._map(extent)
                for start in range(0, len(extent_rows), step):
                    block = slice(start, start + step)
                    out[targets[block]] = mapped[extent_rows[block]]
            first += extent.rows

    def blocks(self) -> list[np.ndarray]:
        """All rows in order, read-only, in arrays that hold no memory of their own."""
        if self.extents is None:
            return [decode(self.path, self.shape)]
        return [self._map(extent) for extent in self.extents]

    def _read_rows(self, extent: Extent, rows: np.ndarray) -> np.ndarray:
        """A few rows of an extent, each by a read(2) of its own."""
        values = np.empty((len(rows), *self.shape), self.dtype)
        if len(rows):
            flat, size = values.reshape(-1).view("u1").data, self._row_bytes
            with self.path.open("rb", buffering=0) as file:
                for number, row in enumerate(rows.tolist()):
                    into = [flat[number * size : (number + 1) * size]]
                    if os.preadv(file.fileno(), into, extent.offset + row * size) != size:
                        raise damaged(self.path)
        return values

    def _map(self, extent: Extent) -> np.ndarray:
        shape = (extent.rows, *self.shape)
        return np.memmap(self.path, self.dtype, "r", extent.offset, shape)

    @property
    def _row_bytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


def vectors_of(path: Path) -> Vectors:
    """The vectors of a file.

    Raises
    ------
    PipelineError
        It is damaged, or has no column of vectors.
    """

    with reading(path):
        metadata = pq.read_metadata(path)
        schema = metadata.schema.to_arrow_schema()
        if VECTOR not in schema.names:
            raise PipelineError(f"{path} has no column '{VECTOR}', so it is no feature set")
        field = schema.field(VECTOR)
        mapped = extents(path, metadata, field)
        if mapped is None:
            values = decode(path, shape_of(field))
            shape, dtype = values.shape[1:], values.dtype.name
        else:
            item = field.type.value_type.to_pandas_dtype()
            shape, dtype = shape_of(field), np.dtype(item).name
            layout = math.prod(shape), sum(extent.rows for extent in mapped)
            if layout != (field.type.list_size, metadata.num_rows):
                raise damaged(path)
        if np.dtype(dtype).kind not in "fiu":
            raise PipelineError(f"{path}: its vectors are no numbers")
    return Vectors(path, metadata.num_rows, shape, dtype, mapped)


def shape_of(field: pa.Field) -> tuple[int, ...]:
    """The shape of a row: it stands in the field's metadata, or the list is flat.

    ValueError if the metadata hold none.
    """
    recorded = (field.metadata or {}).get(b"shape")
    if recorded is not None:
        shape = tuple(int(n) for n in recorded.split(b","))
        if min(shape) < 1:
            raise ValueError(f"no vectors are of shape {shape}")
        return shape
    return (field.type.list_size,) if hasattr(field.type, "list_size") else (-1,)


def decode(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The vector column through pyarrow, (rows, *shape); NaN where there is none.

    A length of -1, of a list whose schema says none, is that of the first row.

    Raises
    ------
    PipelineError
        The file is damaged, or its lists are not of one length.
    """

    with reading(path), pq.ParquetFile(path) as file:
        column = file.read(columns=[VECTOR])[VECTOR].combine_chunks()
        if len(column) != file.metadata.num_rows:
            raise damaged(path)
    lists: Any = pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column
    valid = np.asarray(lists.is_valid())
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    width = math.prod(shape)
    if width < 0:
        width = len(flat) // max(int(valid.sum()), 1)
        shape = (width,)
    if len(flat) != width * valid.sum():
        raise PipelineError(f"{path}: its vectors are not all of one length")
    rows = flat.reshape(-1, *shape)
    if valid.all():
        return np.ascontiguousarray(rows)
    out = np.full((len(valid), *shape), np.nan, np.result_type(flat.dtype, np.float16))
    out[valid] = rows
    return out
