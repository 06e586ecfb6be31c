"""The limit: our kernels and nothing else, one thread, from raw bytes to written parts.

No planning, no digests, no manifest, no sync to disk: read, clean, encode, write a Parquet file of
cleaned contents and one of vectors for every 256 rows. Only this is counted; imports and the
loading of weights are said apart.

    python -m benchmarks.limit RAW OUT    prints JSON: modality → CPU seconds, and `loading`
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.kernels import Kernel, files, params
from pipeline.core.registry import load
from pipeline.core.schemas import clean_schema
from pipeline.parts.part import write_table
from pipeline.stages.work.clean import measurements_schema
from pipeline.store.format.layout import features_table, write_features


def main(raw: Path, out: Path) -> None:
    kernels = {modality: Kernel(modality) for modality in ("image", "audio")}
    warm_up(kernels, raw)
    spent: dict[str, float] = {"loading": time.process_time()}
    for modality, kernel in kernels.items():
        before = time.process_time()
        run(kernel, files(raw, modality), out / modality)
        spent[modality] = time.process_time() - before
    print(json.dumps(spent))


def warm_up(kernels: dict[str, Kernel], raw: Path) -> None:
    """One row each, so that what libraries import when first called is not counted."""
    import pyarrow.parquet  # noqa: F401

    for modality, kernel in kernels.items():
        kernel.row(str(files(raw, modality)[0]))


def run(kernel: Kernel, paths: list[Path], out: Path) -> None:
    """Write the parts of one modality."""
    import numpy as np
    import pyarrow as pa

    for folder in ("clean", "features"):
        (out / folder).mkdir(parents=True)
    schema = clean_schema(measurements_schema(load(f"modalities/{kernel.modality}", "clean")))
    size = params().parts.mean_rows
    for start in range(0, len(paths), size):
        records: list[dict[str, Any]] = []
        vectors = []
        for path in paths[start : start + size]:
            row = kernel.row(str(path))
            if row is not None:
                vectors.append(row.pop("vector"))
                records.append({"key": "", "content": "", **row})
        digests = [record["digest"] for record in records]
        table = pa.Table.from_pylist(records, schema=schema)
        write_table(table, out / "clean" / f"{start}.parquet", {})
        count = len(records)
        lengths = np.ones(count, np.int32)
        features = features_table(digests, [""] * count, [0] * count, lengths, np.stack(vectors))
        write_features(features, out / "features" / f"{start}.parquet", {})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
