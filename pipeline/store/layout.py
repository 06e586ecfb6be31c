"""How feature parts are laid out in Parquet, so that a reader need not decode them.

One vector column, `FixedSizeList<float32 not null, D> not null`, PLAIN, uncompressed, without
dictionary or statistics, one data page a row group: the values are then the last n·D·4 bytes of
the column chunk and can be mapped straight from the file. The other columns stay compressed.
Every Parquet engine opens these files as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

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
        float32 (n, …): one feature a row; its trailing shape stands in the schema's metadata of
        the `vector` field as `shape`, since Parquet knows flat lists only.
    """
    import numpy as np
    import pyarrow as pa

    shape = values.shape[1:]
    width = math.prod(shape)
    flat = pa.array(np.ascontiguousarray(values, dtype=np.float32).reshape(-1))
    item = pa.field("item", pa.float32(), nullable=False)
    vector = pa.FixedSizeListArray.from_arrays(flat, type=pa.list_(item, width))
    text = pa.string()
    schema = pa.schema(
        [
            pa.field("digest", text, nullable=False),
            pa.field("key", text, nullable=False),
            pa.field("view", pa.int32(), nullable=False),
            pa.field("length", pa.int32(), nullable=False),
            pa.field(
                VECTOR,
                vector.type,
                nullable=False,
                metadata={b"shape": ",".join(map(str, shape)).encode()},
            ),
        ]
    )
    columns = [
        pa.array(digests, text),
        pa.array(keys, text),
        pa.array(views, pa.int32()),
        pa.array(lengths, pa.int32()),
        vector,
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def write_features(table: pa.Table, path: Path, metadata: dict[bytes, bytes]) -> None:
    """Write a features table in the store's layout; equal tables give equal bytes."""
    import pyarrow.parquet as pq

    width = table.schema.field(VECTOR).type.list_size
    row_bytes = max(4 * width, 1)
    others = [name for name in table.column_names if name != VECTOR]
    path_in_schema = f"{VECTOR}.list.element"
    pq.write_table(
        table.replace_schema_metadata(metadata),
        path,
        row_group_size=max(1, min(GROUP_ROWS, GROUP_BYTES // row_bytes)),
        data_page_size=2 * GROUP_BYTES,
        use_dictionary=False,
        write_statistics=False,
        compression={path_in_schema: "none", **dict.fromkeys(others, "zstd")},
        column_encoding={path_in_schema: "PLAIN"},
        write_batch_size=GROUP_ROWS,
    )


def read_features(path: Path) -> tuple[pa.Table, np.ndarray]:
    """A part's metadata columns, and its values as float32 (n, *shape)."""
    import pyarrow.parquet as pq

    table = pq.read_table(path, partitioning=None)
    return table.drop_columns([VECTOR]), vectors(table)


def vectors(table: pa.Table) -> np.ndarray:
    """The vector column of a table as float32 (n, *shape)."""
    import numpy as np

    column = table.column(VECTOR)
    shape = [int(n) for n in table.schema.field(VECTOR).metadata[b"shape"].split(b",")]
    chunks = [chunk.flatten().to_numpy() for chunk in column.chunks]
    flat = np.concatenate(chunks) if chunks else np.empty(0, np.float32)
    return flat.reshape(-1, *shape)
