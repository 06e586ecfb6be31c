"""The million vectors as a Lance dataset with an index on their ids.

python -m benchmarks.store.put_lance PROJECT
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import lance
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.store.contenders import SET
from pipeline.parts.manifest import read_manifest


def main(project: Path) -> None:
    folder = project / "data" / "features" / SET
    out = project / "data" / f"{SET}.lance"
    if out.exists():
        return
    entries = read_manifest(folder)

    def batches() -> Iterator[pa.RecordBatch]:
        for entry in entries:
            table = pq.ParquetFile(folder / f"{entry.key}.parquet").read()
            table = table.replace_schema_metadata()
            table = table.append_column("batch", pa.array([entry.batch] * entry.rows))
            yield from table.to_batches()

    first = next(batches())
    made = lance.write_dataset(pa.RecordBatchReader.from_batches(first.schema, batches()), str(out))
    made.create_scalar_index("digest", "BTREE")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
