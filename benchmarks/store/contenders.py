"""One job, done one way, timed in a process of its own.

    python -m benchmarks.store.contenders JOB WAY PROJECT    prints JSON: seconds, sum, peak bytes

A warm job is done twice and the second time counts; a cold one once, from opening on, imports
apart. `sum` is that of all values, by which ways are held to the same answer.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.machine.peak_memory import peak_mb
from pipeline.store import Store, open_store
from pipeline.store.feature_set import FeatureSet

try:
    import lance
except ModuleNotFoundError:  # in its own environment alone
    lance = None

SET, WHERE = "words", "batch < 'b10' AND length > 5"
JOINED = ("pictures", "words", "voices")
MODALITY = {"pictures": "image", "words": "text", "voices": "audio"}
Job = Callable[[Path], np.ndarray | list[np.ndarray]]


def load_ours(project: Path) -> np.ndarray:
    return _features(project).to_numpy()


def load_memmap(project: Path) -> np.ndarray:
    return np.array(np.load(project / "data" / f"{SET}.npy", mmap_mode="r"))


def load_pyarrow(project: Path) -> np.ndarray:
    import pyarrow.dataset as ds

    table = ds.dataset(_files(project, SET)).to_table(columns=["vector"])
    return _matrix(table["vector"])


def load_duckdb(project: Path) -> np.ndarray:
    import duckdb

    found = duckdb.connect().sql(f"SELECT vector FROM read_parquet({_files(project, SET)})")
    return _matrix(found.to_arrow_table()["vector"])


def load_lance(project: Path) -> np.ndarray:
    return _matrix(_lance(project).to_table(columns=["vector"])["vector"])


def filter_ours(project: Path) -> np.ndarray:
    return _features(project).to_numpy(where=WHERE)


def filter_lance(project: Path) -> np.ndarray:
    return _matrix(_lance(project).to_table(columns=["vector"], filter=WHERE)["vector"])


def filter_duckdb(project: Path) -> np.ndarray:
    import duckdb

    where = WHERE.replace("batch", "parts.batch")
    connection = duckdb.connect()
    connection.register("parts", _parts(project))
    found = connection.sql(
        f"SELECT vector FROM read_parquet({_files(project, SET)}, filename = true) "
        f"JOIN parts USING (filename) WHERE {where}"
    )
    return _matrix(found.to_arrow_table()["vector"])


@functools.cache
def ids(project: Path, count: int) -> list[str]:
    """Some ids of the set, drawn."""
    from benchmarks.store.corpus import digest_of

    rows = np.load(project / "data" / f"{SET}.npy", mmap_mode="r").shape[0]
    chosen = np.random.default_rng(count).choice(rows, min(count, rows), replace=False)
    return [digest_of("text", int(row)) for row in chosen]


def _take(count: int) -> dict[str, Job]:
    """Some rows by id."""

    def ours(project: Path) -> np.ndarray:
        return _features(project).get(ids(project, count))

    def lance(project: Path) -> np.ndarray:
        listed = ", ".join(f"'{one}'" for one in ids(project, count))
        table = _lance(project).to_table(columns=["vector"], filter=f"digest IN ({listed})")
        return _matrix(table["vector"])

    return {"ours": ours, "lance": lance}


def join_ours(project: Path) -> list[np.ndarray]:
    joined = _store(project).join(JOINED)
    return [joined.values[name] for name in JOINED]


def join_duckdb(project: Path) -> list[np.ndarray]:
    """Left joins by digest; what is absent is zero."""
    import duckdb

    samples = sorted(map(str, (project / "data" / "curated").glob("*.parquet")))
    joins = " ".join(
        f"LEFT JOIN read_parquet({_files(project, name)}) AS {name} "
        f"ON {name}.digest = samples.{MODALITY[name]}"
        for name in JOINED
    )
    vectors = ", ".join(f"{name}.vector AS {name}" for name in JOINED)
    found = duckdb.connect().sql(
        f"SELECT sample_id, {vectors} FROM read_parquet({samples}) AS samples {joins} "
        f"ORDER BY sample_id"
    )
    table = found.to_arrow_table()
    return [_matrix(table[name]) for name in JOINED]


def join_pandas(project: Path) -> list[np.ndarray]:
    """pandas' merge, for its answer and not for its time."""
    import pandas

    (path,) = (project / "data" / "curated").glob("*.parquet")
    frame = pandas.read_parquet(path, columns=["sample_id", *MODALITY.values()])
    matrices = []
    for name in JOINED:
        part = pandas.read_parquet(_files(project, name), columns=["digest", "vector"])
        merged = frame.merge(part, "left", left_on=MODALITY[name], right_on="digest")
        zero = np.zeros(len(part["vector"].iloc[0]), np.float32)
        rows = [zero if isinstance(value, float) else value for value in merged["vector"]]
        matrices.append(np.stack(rows))
    return matrices


def nearest_ours(project: Path) -> np.ndarray:
    return np.array(_features(project).nearest(_query(project), 10).scores)


def nearest_bare(project: Path) -> np.ndarray:
    """The matrix product that there is no way around, over normed rows in memory."""
    values = _normed(project)
    query = _query(project)
    scores = values @ (query / np.linalg.norm(query))
    return np.sort(scores[np.argpartition(-scores, 10)[:10]])[::-1]


def nearest_approximate(project: Path) -> np.ndarray:
    return np.array(_features(project).nearest(_query(project), 10, exact=False).scores)


COUNTS = {"1 id": 1, "1 id, cold": 1, "100 ids": 100, "10000 ids": 10_000}
JOBS: dict[str, dict[str, Job]] = {
    "load": {
        "ours": load_ours,
        "memmap copy": load_memmap,
        "pyarrow.dataset": load_pyarrow,
        "duckdb": load_duckdb,
        "lance": load_lance,
    },
    "filter": {"ours": filter_ours, "lance": filter_lance, "duckdb": filter_duckdb},
    **{name: _take(count) for name, count in COUNTS.items()},
    "join": {"ours": join_ours, "duckdb": join_duckdb, "pandas": join_pandas},
    "nearest": {"ours": nearest_ours, "bare product": nearest_bare},
    "approximate": {"ours": nearest_approximate},
}


@functools.cache
def _store(project: Path) -> Store:
    """Opened once, so that what a handle keeps is warm when the job is done again."""
    return open_store(project)


@functools.cache
def _features(project: Path) -> FeatureSet:
    return _store(project)[SET]


@functools.cache
def _normed(project: Path) -> np.ndarray:
    values = load_memmap(project)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values


def _query(project: Path) -> np.ndarray:
    found: np.ndarray = np.load(project / "data" / f"{SET}.npy", mmap_mode="r")[12_345]
    return found + 0.5 * np.random.default_rng(3).standard_normal(len(found), np.float32)


def _files(project: Path, name: str) -> list[str]:
    from pipeline.parts.manifest import read_manifest

    folder = project / "data" / "features" / name
    return [str(folder / f"{entry.key}.parquet") for entry in read_manifest(folder)]


def _parts(project: Path) -> Any:
    import pyarrow as pa

    from pipeline.parts.manifest import read_manifest

    entries = read_manifest(project / "data" / "features" / SET)
    files = _files(project, SET)
    return pa.table({"filename": files, "batch": [entry.batch for entry in entries]})


@functools.cache
def _lance(project: Path) -> Any:
    return lance.dataset(str(project / "data" / f"{SET}.lance"))


def _matrix(column: Any) -> np.ndarray:
    """A column of lists as a matrix; null is zero."""
    import pyarrow as pa

    lists = column.combine_chunks()
    lists = pa.concat_arrays(lists.chunks) if isinstance(lists, pa.ChunkedArray) else lists
    flat = lists.flatten().to_numpy()
    there = np.asarray(lists.is_valid())
    rows = flat.reshape(int(there.sum()), -1)
    if there.all():
        return rows
    out = np.zeros((len(there), rows.shape[1]), rows.dtype)
    out[there] = rows
    return out


def main(job: str, way: str, project: Path) -> None:
    import pyarrow.parquet  # noqa: F401

    run = JOBS[job][way]
    if job in COUNTS:
        ids(project, COUNTS[job])
    seconds = 0.0
    for _ in range(1 if "cold" in job else 2):
        found: Any = None  # one result at a time, for the peak
        began = time.perf_counter()
        found = run(project)
        seconds = time.perf_counter() - began
    peak = peak_mb() * 2**20
    matrices = found if isinstance(found, list) else [found]
    total = float(sum(one.sum(dtype=np.float64) for one in matrices))
    size = sum(one.nbytes for one in matrices)
    print(json.dumps({"seconds": seconds, "sum": total, "bytes": size, "peak": peak}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
