"""How feature parts are laid out in Parquet, so that a reader need not decode them.

One vector column, `FixedSizeList<float32 not null, D> not null` (or float16, or int32), PLAIN,
uncompressed, without dictionary or statistics, one data page per row group: the values are then the
last n·D·itemsize bytes of the column chunk and can be mapped straight from the file. The other
columns stay compressed. Every Parquet engine opens these files as they are.

The `archive` profile is for sets that are seldom read: zstd, on split bytes where values have four,
read by decoding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Dtype = Literal["float32", "float16"]
Profile = Literal["mapped", "archive"]
VECTOR = "vector"
# pyarrow starts a new page at 20,000 rows whatever the page size, and a chunk over 2 GiB fails.
GROUP_ROWS = 16_384
GROUP_BYTES = 256 * 2**20


def features_table(
    digests: Sequence[str],
    keys: Sequence[str],
    views: Sequence[int],
    lengths: np.ndarray,
    values: np.ndarray,
) -> pa.Table:
    """A table of features: digest, row key, view, length, vector.

    Parameters
    ----------
    lengths:
        int32 (n,): valid steps of a sequence, 1 for a vector.
    values:
        float32, float16 or int32 (n, …): one feature per row.
    """
    text = pa.string()
    field, vectors = vector_column(values)
    schema = pa.schema(
        [
            pa.field("digest", text, nullable=False),
            pa.field("key", text, nullable=False),
            pa.field("view", pa.int32(), nullable=False),
            pa.field("length", pa.int32(), nullable=False),
            field,
        ]
    )
    columns = [
        pa.array(digests, text),
        pa.array(keys, text),
        pa.array(views, pa.int32()),
        pa.array(lengths, pa.int32()),
        vectors,
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def vector_column(values: np.ndarray) -> tuple[pa.Field, pa.Array]:
    """Values (n, …) as a column. Their trailing shape stands in the field's metadata as `shape`,
    since Parquet knows flat lists only."""

    shape = values.shape[1:]
    flat = pa.array(np.ascontiguousarray(values).reshape(-1))
    kind = pa.list_(pa.field("item", flat.type, nullable=False), math.prod(shape))
    field_metadata = {b"shape": ",".join(map(str, shape)).encode()}
    field = pa.field(VECTOR, kind, nullable=False, metadata=field_metadata)
    return field, pa.FixedSizeListArray.from_arrays(flat, type=kind)


def write_features(
    table: pa.Table, path: Path, metadata: dict[bytes, bytes], profile: Profile = "mapped"
) -> None:
    """Write a features table in the store's layout; equal tables give equal bytes."""
    kind = table.schema.field(VECTOR).type
    row_bytes = max(kind.list_size * kind.value_type.bit_width // 8, 1)
    archived = profile == "archive"
    # DuckDB refuses split bytes of float16.
    split = archived and kind.value_type.bit_width == 32
    others = [name for name in table.column_names if name != VECTOR]
    path_in_schema = f"{VECTOR}.list.element"
    pq.write_table(
        table.replace_schema_metadata(metadata),
        path,
        row_group_size=max(1, min(GROUP_ROWS, GROUP_BYTES // row_bytes)),
        data_page_size=2 * GROUP_BYTES,
        use_dictionary=False,
        write_statistics=False,
        compression={
            path_in_schema: "zstd" if archived else "none",
            **dict.fromkeys(others, "zstd"),
        },
        column_encoding={path_in_schema: "BYTE_STREAM_SPLIT" if split else "PLAIN"},
        write_batch_size=GROUP_ROWS,
    )
