"""A multiprocessing pool whose processes take a chunk of files and write its rows."""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path

from benchmarks.kernels import CHUNK, PARQUET, SETS, files, table


def main(raw: Path, out: Path, workers: int) -> None:
    chunks = []
    for modality in SETS:
        (out / modality).mkdir(parents=True)
        paths = [str(path) for path in files(raw, modality)]
        for start in range(0, len(paths), CHUNK):
            chunks.append(
                (paths[start : start + CHUNK], modality, out / modality / f"{start}.parquet")
            )
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        pool.starmap(put, chunks, chunksize=1)


def put(paths: list[str], modality: str, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table(paths, modality), path, **PARQUET)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
