"""Daft: a class of user-defined functions over a column of paths, in processes of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.kernels import CHUNK, SETS, files, schema, table


class Encoder:
    """A path → the struct of its row; Daft wants one for each, so a refused file's is null."""

    def __init__(self, modality: str) -> None:
        self.modality = modality

    def rows(self, paths: Any) -> Any:
        names = paths.to_pylist()
        made = table(names, self.modality)
        if len(made) < len(names):
            place = {digest: i for i, digest in enumerate(made["digest"].to_pylist())}
            made = made.take([place.get(Path(name).stem) for name in names])
        return made.to_struct_array().combine_chunks()


def main(raw: Path, out: Path, workers: int) -> None:
    import daft
    from daft import DataType

    for modality in SETS:
        fields = {field.name: DataType.from_arrow_type(field.type) for field in schema(modality)}
        method = daft.method.batch(
            return_dtype=DataType.struct(fields), unnest=True, batch_size=CHUNK
        )
        rows = type("Rows", (Encoder,), {"rows": method(Encoder.rows)})
        encoder = daft.cls(rows, max_concurrency=workers, use_process=True)(modality)
        paths = daft.from_pydict({"path": [str(path) for path in files(raw, modality)]})
        made = paths.into_batches(CHUNK).select(encoder.rows(paths["path"]))
        made = made.where(made["digest"].not_null())
        made.write_parquet(str(out / modality), compression="zstd")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
