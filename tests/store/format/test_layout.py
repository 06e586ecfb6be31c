from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.store.format.layout import (
    GROUP_ROWS,
    VECTOR,
    features_table,
    write_features,
)


def write(path: Path, n: int, shape: tuple[int, ...]) -> np.ndarray:
    values = np.random.default_rng(0).random((n, *shape), np.float32)
    lengths = np.arange(n, dtype=np.int32)
    digests = [f"{i:064x}" for i in range(n)]
    table = features_table(digests, ["b"] * n, [0] * n, lengths, values)
    write_features(table, path, {b"pipeline": b"{}"})
    return values


@pytest.mark.parametrize(
    ("n", "shape"), [(3, (4,)), (GROUP_ROWS + 7, (3,)), (5, (6, 2)), (0, (4,))]
)
def test_values_come_back_in_their_shape(tmp_path: Path, n: int, shape: tuple[int, ...]) -> None:
    values = write(tmp_path / "f.parquet", n, shape)
    table = pq.read_table(tmp_path / "f.parquet")
    assert table.column_names == ["digest", "key", "view", "length", VECTOR]
    assert table.schema.field(VECTOR).metadata == {b"shape": ",".join(map(str, shape)).encode()}
    assert np.array_equal(table[VECTOR].combine_chunks().flatten().to_numpy(), values.reshape(-1))


def test_values_end_each_chunk_as_they_are_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    values = write(path, GROUP_ROWS + 100, (5,))
    raw, metadata = path.read_bytes(), pq.read_metadata(path)
    first = 0
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        chunk = metadata.row_group(group).column(4)
        assert chunk.path_in_schema.startswith(VECTOR)
        assert chunk.compression == "UNCOMPRESSED"
        assert not chunk.has_dictionary_page
        assert chunk.statistics is None
        end = chunk.data_page_offset + chunk.total_compressed_size
        mapped = np.frombuffer(raw[end - rows * 5 * 4 : end], np.float32).reshape(rows, 5)
        assert np.array_equal(mapped, values[first : first + rows])
        first += rows
    assert first == len(values)


def test_writing_again_gives_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", 50, (7,))
    write(tmp_path / "b.parquet", 50, (7,))
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_other_engines_open_it(tmp_path: Path) -> None:
    values = write(tmp_path / "f.parquet", 9, (4,))
    result = duckdb.sql(f"SELECT vector FROM '{tmp_path}/f.parquet' ORDER BY digest").fetchall()
    assert np.array_equal(np.array([row[0] for row in result], np.float32), values)
