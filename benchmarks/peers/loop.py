"""A plain loop over the files, in one process."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.kernels import CHUNK, PARQUET, SETS, files, schema, table


def main(raw: Path, out: Path, workers: int) -> None:
    import pyarrow.parquet as pq

    for modality in SETS:
        paths = [str(path) for path in files(raw, modality)]
        (out / modality).mkdir(parents=True)
        path = out / modality / "rows.parquet"
        with pq.ParquetWriter(path, schema(modality), **PARQUET) as writer:
            for start in range(0, len(paths), CHUNK):
                writer.write_table(table(paths[start : start + CHUNK], modality))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
