"""Every engine that reads Parquet opens a feature set's files with equal values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import polars
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from pipeline.store import open_store
from pipeline.store.format.layout import Profile, features_table, write_features
from tests.store.small import small

__all__ = ["small"]

ELSEWHERE = "requirements/engines.txt installs it, for `make test`"


def with_pyarrow(path: Path) -> list[list[float]]:
    return pq.read_table(path)["vector"].to_pylist()


def with_a_dataset(path: Path) -> list[list[float]]:
    return pyarrow.dataset.dataset(path).to_table()["vector"].to_pylist()


def with_duckdb(path: Path) -> list[list[float]]:
    rows = duckdb.connect().execute(f"SELECT vector::FLOAT[] FROM '{path}' ORDER BY digest")
    return [row[0] for row in rows.fetchall()]


def with_polars(path: Path) -> list[list[float]]:
    return polars.read_parquet(path)["vector"].to_list()


def with_pandas(path: Path) -> list[list[float]]:
    pandas = pytest.importorskip("pandas", reason=ELSEWHERE)
    return pandas.read_parquet(path)["vector"].tolist()


def with_hugging_face(path: Path) -> list[list[float]]:
    datasets = pytest.importorskip("datasets", reason=ELSEWHERE)
    datasets.disable_progress_bars()
    cache = str(path.parent / "cache")
    rows = datasets.load_dataset("parquet", data_files=str(path), cache_dir=cache, split="train")
    return rows.with_format("numpy")["vector"][:].tolist()


ENGINES = [with_pyarrow, with_a_dataset, with_duckdb, with_polars, with_pandas, with_hugging_face]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("profile", ["mapped", "archive"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_an_engine_reads_equal_values(
    tmp_path: Path, engine: Callable[[Path], list[list[float]]], profile: Profile, dtype: str
) -> None:
    values = np.random.default_rng(0).standard_normal((40, 3, 2)).astype(dtype)
    digests = [f"{i:064x}" for i in range(len(values))]
    ones = np.ones(len(values), np.int32)
    table = features_table(digests, ["k"] * len(values), [0] * len(values), ones, values)
    write_features(table, tmp_path / "f.parquet", {b"pipeline": b"{}"}, profile)
    result = np.array(engine(tmp_path / "f.parquet"), dtype)
    assert np.array_equal(result.reshape(values.shape), values)


def test_writing_again_gives_the_same_bytes(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((40, 6)).astype(np.float16)
    ones = np.ones(len(values), np.int32)
    digests = [f"{i:064x}" for i in range(len(values))]
    table = features_table(digests, ["k"] * 40, [0] * 40, ones, values)
    for profile in ("mapped", "archive"):
        for name in "ab":
            write_features(table, tmp_path / name, {b"pipeline": b"{}"}, profile)  # type: ignore[arg-type]
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_set_comes_as_a_data_frame(small: Path) -> None:
    pytest.importorskip("pandas", reason=ELSEWHERE)
    look = open_store(small)["look"]
    frame = look.to_pandas(["digest", "batch", "vector"])
    assert frame["digest"].tolist() == look.to_arrow(["digest"])["digest"].to_pylist()
    assert np.array_equal(np.stack(frame["vector"].to_list()), look.to_numpy())


def test_a_set_s_folder_is_read_as_it_is(small: Path) -> None:
    """Its manifest begins with an underscore, as what a table's folder holds beside data does."""
    rows = with_a_dataset(small / "data" / "features" / "look")
    expected = open_store(small)["look"].to_numpy(view=None)
    assert sorted(rows) == sorted(expected.tolist())
