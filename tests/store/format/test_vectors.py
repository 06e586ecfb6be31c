"""What the reader proves before it maps, and that it comes to the same where it may not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import PipelineError
from pipeline.store.format import layout, vectors
from pipeline.store.format.layout import VECTOR, features_table, write_features
from pipeline.store.format.pages import read_struct
from pipeline.store.format.vectors import vectors_of


def table(values: np.ndarray) -> pa.Table:
    n = len(values)
    digests = [f"{i:064x}" for i in range(n)]
    return features_table(digests, ["k"] * n, [0] * n, np.ones(n, np.int32), values)


def values(n: int = 50, *shape: int, dtype: str = "float32") -> np.ndarray:
    drawn = np.random.default_rng(0).standard_normal((n, *(shape or (6,)))) * 100
    return drawn.astype(dtype)


def read(path: Path) -> np.ndarray:
    result = vectors_of(path)
    out = np.empty((result.rows, *result.shape), result.dtype)
    result.read_into(out)
    return out


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32"])
@pytest.mark.parametrize(("n", "shape"), [(1, (1,)), (40_000, (3,)), (7, (5, 4)), (0, (4,))])
def test_the_own_layout_is_proven_and_read_as_it_was_written(
    tmp_path: Path, dtype: str, n: int, shape: tuple[int, ...]
) -> None:
    wanted = values(n, *shape, dtype=dtype)
    write_features(table(wanted), tmp_path / "f", {})
    result = vectors_of(tmp_path / "f")
    assert result.extents is not None
    assert (result.rows, result.shape, result.dtype) == (n, shape, dtype)
    assert read(tmp_path / "f").tobytes() == wanted.tobytes()
    blocks = np.concatenate([np.empty((0, *shape), dtype), *result.blocks()])
    assert blocks.tobytes() == wanted.tobytes()


def two_pages(made: pa.Table, path: Path) -> None:
    pq.write_table(made, path, compression="none", use_dictionary=False, data_page_size=64,
                   write_batch_size=8)  # fmt: skip


def dictionary(made: pa.Table, path: Path) -> None:
    pq.write_table(made, path, compression="none", use_dictionary=True)


def compressed(made: pa.Table, path: Path) -> None:
    pq.write_table(made, path, compression="zstd", use_dictionary=False)


def second_page_version(made: pa.Table, path: Path) -> None:
    pq.write_table(made, path, compression="none", use_dictionary=False, data_page_version="2.0")


def split_bytes(made: pa.Table, path: Path) -> None:
    write_features(made, path, {}, "archive")


def split_bytes_uncompressed(made: pa.Table, path: Path) -> None:
    """As many bytes as plain ones, in another order: the page's encoding alone tells."""
    pq.write_table(
        made,
        path,
        compression="none",
        use_dictionary=False,
        column_encoding={f"{VECTOR}.list.element": "BYTE_STREAM_SPLIT"},
    )


def another_writer(made: pa.Table, path: Path) -> None:
    rows = made  # noqa: F841  DuckDB finds it by name
    duckdb.sql(f"COPY (SELECT * FROM rows) TO '{path}' (FORMAT parquet, COMPRESSION uncompressed)")


def nullable(made: pa.Table, path: Path) -> None:
    width = made.schema.field(VECTOR).type.list_size
    vector = pa.array(made[VECTOR].to_pylist(), pa.list_(pa.float32(), width))
    pq.write_table(pa.table({VECTOR: vector}), path, compression="none", use_dictionary=False)


@pytest.mark.parametrize(
    "write",
    [
        two_pages,
        dictionary,
        compressed,
        second_page_version,
        split_bytes,
        split_bytes_uncompressed,
        another_writer,
        nullable,
    ],
)
def test_another_layout_is_not_mapped_and_reads_the_same(
    tmp_path: Path, write: Callable[[pa.Table, Path], None]
) -> None:
    wanted = values()
    write(table(wanted), tmp_path / "f")
    result = vectors_of(tmp_path / "f")
    assert result.extents is None
    assert read(tmp_path / "f").tobytes() == wanted.tobytes()
    out = np.empty((2, 6), np.float32)
    result.take(np.array([3, 1]), out, np.array([1, 0]))
    assert np.array_equal(out, wanted[[1, 3]])


def test_a_null_reads_as_nan_and_is_never_mapped(tmp_path: Path) -> None:
    rows = [[1.0, 2.0], None, [3.0, None]]
    for item in (True, False):
        field = pa.field("item", pa.float32(), nullable=True)
        some = rows if item else [rows[0], None, rows[0]]
        vector = pa.array(some, pa.list_(field, 2))
        pq.write_table(pa.table({VECTOR: vector}), tmp_path / "f", compression="none",
                       use_dictionary=False)  # fmt: skip
        assert vectors_of(tmp_path / "f").extents is None
        result = read(tmp_path / "f")
        assert np.isnan(result[1]).all()
        assert result[0].tolist() == [1.0, 2.0]
        assert np.isnan(result[2, 1]) == item


def test_lists_of_different_lengths_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({VECTOR: [[1.0], [2.0, 3.0]]}), tmp_path / "f")
    with pytest.raises(PipelineError, match="not all of one length"):
        vectors_of(tmp_path / "f")


@pytest.mark.parametrize("cut", [0, 3, 200])
def test_a_truncated_file_is_told(tmp_path: Path, cut: int) -> None:
    write_features(table(values()), tmp_path / "f", {})
    whole = (tmp_path / "f").read_bytes()
    (tmp_path / "f").write_bytes(whole[:cut])
    with pytest.raises(PipelineError, match="is damaged"):
        vectors_of(tmp_path / "f")


def test_a_file_without_vectors_is_told(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "f")
    with pytest.raises(PipelineError, match="has no column 'vector'"):
        vectors_of(tmp_path / "f")


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(st.integers(0, 44), max_size=60),
    seed=st.integers(0, 99),
    block=st.integers(1, 99),
)
def test_rows_are_taken_in_any_order_to_any_places(
    tmp_path_factory: pytest.TempPathFactory, rows: list[int], seed: int, block: int
) -> None:
    path = tmp_path_factory.mktemp("taken") / "f"
    wanted = values(45, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "GROUP_ROWS", 10)
        write_features(table(wanted), path, {})
    result = vectors_of(path)
    assert result.extents is not None
    assert len(result.extents) == 5
    places = np.random.default_rng(seed).permutation(len(rows) + 3)[: len(rows)]
    out = np.full((len(rows) + 3, 3), -1, np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors, "BLOCK", block)
        result.take(np.array(rows, np.int64), out, places)
    assert np.array_equal(out[places], wanted[rows])
    assert (np.delete(out, places, 0) == -1).all()


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=40))
def test_what_is_no_page_header_is_told_from_one(data: bytes) -> None:
    try:
        fields, end = read_struct(data)
    except (ValueError, IndexError, RecursionError):
        return
    assert end <= len(data) or not data
    assert isinstance(fields, dict)


def test_the_archive_is_smaller_for_smooth_values(tmp_path: Path) -> None:
    smooth = np.cumsum(np.ones((400, 32), np.float32) * 0.125, axis=0)
    write_features(table(smooth), tmp_path / "mapped", {})
    write_features(table(smooth), tmp_path / "archive", {}, "archive")
    assert (tmp_path / "archive").stat().st_size < 0.5 * (tmp_path / "mapped").stat().st_size
    assert read(tmp_path / "archive").tobytes() == smooth.tobytes()


@pytest.mark.parametrize("shape", [b"-6", b"2,-3,-1", b"7", b"0", b"x", b""])
def test_a_shape_that_is_none_of_the_vectors_is_refused(tmp_path: Path, shape: bytes) -> None:
    made = table(values(5))
    field = made.schema.field(VECTOR).with_metadata({b"shape": shape})
    schema = made.schema.set(made.schema.get_field_index(VECTOR), field)
    write_features(made.cast(schema), tmp_path / "f", {})
    with pytest.raises(PipelineError, match="is damaged"):
        vectors_of(tmp_path / "f")


def test_a_codec_that_there_is_not_does_not_end_the_process(tmp_path: Path) -> None:
    write_features(table(values(5)), tmp_path / "f", {})
    data = (tmp_path / "f").read_bytes()
    assert b"element\x15\x00" in data
    (tmp_path / "f").write_bytes(data.replace(b"element\x15\x00", b"element\x15\x20"))
    with pytest.raises(PipelineError, match="is damaged"):
        vectors_of(tmp_path / "f")


def test_statistics_that_cannot_be_do_not_end_the_process(tmp_path: Path) -> None:
    write_features(table(values(5)), tmp_path / "f", {})
    data = (tmp_path / "f").read_bytes()
    levels = b"\x3c\x29\x26"  # SizeStatistics: a list of two whole numbers, one for each level
    assert data.count(levels) == 1
    (tmp_path / "f").write_bytes(data.replace(levels, b"\x3c\x29\x16"))
    vectors = vectors_of(tmp_path / "f")  # which say nothing of the values
    assert (vectors.rows, vectors.extents is not None) == (5, True)
    with pytest.raises(OSError, match="mismatch"):
        pq.read_table(tmp_path / "f")


def test_vectors_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    lists = pa.array([[b"ab"], [b"cd"]], pa.list_(pa.binary(), 1))
    pq.write_table(pa.table({VECTOR: lists}), tmp_path / "f")
    with pytest.raises(PipelineError, match="no numbers"):
        vectors_of(tmp_path / "f")
