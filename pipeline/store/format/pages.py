"""Proof that vectors lie in a file as they lie in memory, so that they need no decoding.

Read from the page's own header (Parquet format, `PageHeader` in Thrift's compact protocol): one
plain, uncompressed data page fills the chunk, and behind its levels stand exactly as many values as
the rows have. A null, a dictionary, a second page or compression would leave another number of
bytes, and any of them is enough for the reader to let pyarrow decode the file.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store.format.layout import VECTOR

WRITER = "parquet-cpp-arrow"
HEAD = 128
DATA_PAGE, PLAIN = 0, 0
# Fields of PageHeader and of the DataPageHeader in it.
TYPE, UNCOMPRESSED, COMPRESSED, DATA_HEADER = 1, 2, 3, 5
NUM_VALUES, ENCODING = 1, 2
# Fields of the footer, of a RowGroup in it, and of a ColumnMetaData in that.
ROW_GROUPS = 4
COLUMNS, NUM_ROWS, META_DATA = 1, 3, 3
CODEC, CHUNK_VALUES, CHUNK_COMPRESSED, DATA_PAGE_OFFSET, DICTIONARY = 4, 5, 7, 9, 11
NO_CODEC = 0


@dataclass(frozen=True, slots=True)
class Extent:
    """Rows whose values lie one after another from byte `offset` of a file on."""

    offset: int
    rows: int


def extents(path: Path, metadata: pq.FileMetaData, field: pa.Field) -> tuple[Extent, ...] | None:
    """Where the values of a file's vector column lie, or None where that cannot be proven.

    Parameters
    ----------
    metadata, field:
        The file's footer, and the column as its Arrow schema has it.
    """
    kind = field.type
    if not (
        metadata.created_by.startswith(WRITER)
        and pa.types.is_fixed_size_list(kind)
        and not field.nullable
        and not kind.value_field.nullable
    ):
        return None
    paths = [metadata.schema.column(i).path for i in range(metadata.num_columns)]
    column = paths.index(f"{VECTOR}.list.element")
    row_bytes = kind.list_size * kind.value_type.bit_width // 8
    extents = []
    with path.open("rb", buffering=0) as file:
        for group in _row_groups(file.fileno(), metadata.serialized_size):
            rows = group[NUM_ROWS]
            if not rows:
                continue
            chunk = group[COLUMNS][column][META_DATA]
            offset = _values_offset(file.fileno(), chunk, rows, row_bytes)
            if offset is None or chunk[CHUNK_VALUES] != rows * kind.list_size:
                return None
            extents.append(Extent(offset, rows))
    return tuple(extents)


def _row_groups(file: int, size: int) -> list[dict[int, Any]]:
    """From the footer's bytes: pyarrow ends the process over what it finds wrong in a chunk's."""
    data = os.pread(file, size, os.fstat(file).st_size - size - 8)
    footer, _ = read_struct(data)
    groups: list[dict[int, Any]] = footer[ROW_GROUPS]
    return groups


def _values_offset(file: int, chunk: dict[int, Any], rows: int, row_bytes: int) -> int | None:
    """Where the values of a chunk begin, if it is one plain page without a null."""
    if chunk[CODEC] != NO_CODEC or DICTIONARY in chunk:
        return None
    start = chunk[DATA_PAGE_OFFSET]
    try:
        header, length = read_struct(os.pread(file, HEAD, start))
        page = header[DATA_HEADER]
        proven = (
            header[TYPE] == DATA_PAGE
            and header[UNCOMPRESSED] == header[COMPRESSED]
            and length + header[COMPRESSED] == chunk[CHUNK_COMPRESSED]
            and page[NUM_VALUES] == chunk[CHUNK_VALUES]
            and page[ENCODING] == PLAIN
        )
    except (KeyError, IndexError, ValueError, TypeError):
        return None
    # Repetition levels, then definition levels, each with its length before it.
    levels = 0
    for _ in range(2):
        before = os.pread(file, 4, start + length + levels)
        levels += 4 + int.from_bytes(before, "little")
    fits = levels + rows * row_bytes == header[COMPRESSED]
    return start + length + levels if proven and fits else None


def read_struct(data: Sequence[int], at: int = 0) -> tuple[dict[int, Any], int]:
    """A struct in Thrift's compact protocol: field number → value, and where it ends.

    Raises
    ------
    ValueError, IndexError
        A field of a kind that neither a page header nor a footer has, or the data end within.
    """
    fields: dict[int, Any] = {}
    number = 0
    while True:
        head = data[at]
        at += 1
        if head == 0:
            return fields, at
        step, kind = head >> 4, head & 15
        if step:
            number += step
        else:
            number, at = _integer(data, at)
        if kind in (1, 2):
            fields[number] = kind == 1
        else:
            fields[number], at = _value(data, at, kind)


def _value(data: Sequence[int], at: int, kind: int) -> tuple[Any, int]:
    """A value of a kind, None for text, and where it ends."""
    if kind in (1, 2, 3):  # as elements of a list
        return data[at], at + 1
    if kind in (4, 5, 6):
        return _integer(data, at)
    if kind == 8:
        length, at = _varint(data, at)
        return None, at + length
    if kind == 9:
        count, kind = data[at] >> 4, data[at] & 15
        at += 1
        if count == 15:
            count, at = _varint(data, at)
        values = []
        for _ in range(count):
            value, at = _value(data, at, kind)
            values.append(value)
        return values, at
    if kind == 12:
        return read_struct(data, at)
    raise ValueError(f"neither a page header nor a footer has a field of kind {kind}")


def _integer(data: Sequence[int], at: int) -> tuple[int, int]:
    """A zigzag integer."""
    value, at = _varint(data, at)
    return (value >> 1) ^ -(value & 1), at


def _varint(data: Sequence[int], at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
