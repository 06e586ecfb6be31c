"""A feature set in another form, written block by block, whole or not at all.

| form | suffix | what it is |
|---|---|---|
| parquet | .parquet | one file, zstd |
| arrow | .arrow | Arrow's IPC file |
| npy | .npy | (n, *shape); the other columns beside, in `<name>.rows.tsv` |
| safetensors | .safetensors | `vector`, `length`, `view`, and `digest` as (n, 32) bytes |
| csv | .csv | one column per value: `v0`, `v1`, … |
| jsonl | .jsonl | one object per row |
| lance | .lance | a Lance data set, a folder |
| huggingface | | a folder that `datasets.load_from_disk` reads |

All but safetensors may be larger than memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.files.atomic import atomic_write, half
from pipeline.store.feature_set import COLUMNS
from pipeline.store.files.output_path import check_free, missing_library, replacing_folder
from pipeline.store.format.layout import VECTOR, vector_column
from pipeline.store.trees.consistent_read import consistent_read

if TYPE_CHECKING:
    from pipeline.store.feature_set import FeatureSet

SUFFIXES = {
    ".parquet": "parquet", ".arrow": "arrow", ".npy": "npy", ".safetensors": "safetensors",
    ".csv": "csv", ".jsonl": "jsonl", ".lance": "lance",
}  # fmt: skip
PLAIN = tuple(name for name in COLUMNS if name != VECTOR)
# What an .npy file has no room for stands beside it.
ROWS = ".rows.tsv"
# Bytes of vectors that are held at once.
BLOCK = 2**26


@dataclass(frozen=True)
class Chosen:
    """Rows of a feature set, block by block."""

    features: FeatureSet
    where: str | None = None
    view: int | None = 0

    @cached_property
    def plain(self) -> pa.Table:
        """All columns but the vectors."""
        return self.features.to_arrow(PLAIN, self.where, self.view)

    @cached_property
    def schema(self) -> pa.Schema:
        return self.plain.schema.append(self.features.schema.field(VECTOR))

    def blocks(self) -> Iterator[tuple[pa.Table, np.ndarray]]:
        """Plain columns and vectors of some rows at a time."""
        at, size = 0, self.features.rows_in(BLOCK)
        for vectors in self.features.batches(size, self.where, self.view):
            yield self.plain.slice(at, len(vectors)), vectors
            at += len(vectors)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The same in Arrow."""
        for plain, vectors in self.blocks():
            table = plain.append_column(*vector_column(vectors)).cast(self.schema)
            yield from table.combine_chunks().to_batches()


def form_of(path: Path, form: str = "") -> str:
    """The form that is asked for, or else that a path's suffix stands for."""
    if form:
        if form not in WRITERS:
            raise PipelineError(unknown("form", form, WRITERS))
        return form
    if path.suffix not in SUFFIXES:
        raise PipelineError(
            f"{path}: its suffix names no form; give --form, one of {', '.join(sorted(WRITERS))}, "
            f"or one of the suffixes {', '.join(SUFFIXES)}"
        )
    return SUFFIXES[path.suffix]


@consistent_read
def export_set(
    features: FeatureSet,
    path: Path,
    form: str = "",
    where: str | None = None,
    view: int | None = 0,
    force: bool = False,
) -> int:
    """Write a feature set's rows in another form, and say how many.

    Raises
    ------
    PipelineError
        The form is unknown or its library missing, or the path is taken or lies below data/.
    """
    form = form_of(path, form)
    for target in (path, path.with_suffix(ROWS)) if form == "npy" else (path,):
        check_free(target, features.tree.project, force)
    chosen = Chosen(features, where, view)
    WRITERS[form](chosen, path)
    return int(chosen.plain.num_rows)


def _parquet(chosen: Chosen, path: Path) -> None:
    with (
        atomic_write(path) as temporary,
        pq.ParquetWriter(
            temporary, chosen.schema, compression="zstd", use_dictionary=list(PLAIN)
        ) as writer,
    ):
        for batch in chosen.batches():
            writer.write_batch(batch)


def _arrow(chosen: Chosen, path: Path) -> None:
    with atomic_write(path) as temporary, pa.ipc.new_file(str(temporary), chosen.schema) as writer:
        for batch in chosen.batches():
            writer.write_batch(batch)


def _npy(chosen: Chosen, path: Path) -> None:

    shape = (chosen.plain.num_rows, *chosen.features.shape)
    header = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(chosen.features.dtype)),
        "fortran_order": False,
        "shape": shape,
    }
    with atomic_write(path.with_suffix(ROWS)) as rows, atomic_write(path) as temporary:
        pyarrow.csv.write_csv(chosen.plain, rows, pyarrow.csv.WriteOptions(delimiter="\t"))
        with temporary.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for _, vectors in chosen.blocks():
                vectors.tofile(file)


def _safetensors(chosen: Chosen, path: Path) -> None:
    from safetensors.numpy import save_file

    features, plain = chosen.features, chosen.plain
    digests = bytes.fromhex("".join(plain["digest"].to_pylist()))
    tensors = {
        VECTOR: features.to_numpy(where=chosen.where, view=chosen.view),
        "digest": np.frombuffer(digests, np.uint8).reshape(-1, 32),
        "length": plain["length"].to_numpy(),
        "view": plain["view"].to_numpy(),
    }
    with atomic_write(path) as temporary:
        save_file(tensors, temporary, {"provenance": json.dumps(features.provenance)})


def _csv(chosen: Chosen, path: Path) -> None:
    import math

    width = math.prod(chosen.features.shape)
    kind = chosen.schema.field(VECTOR).type.value_type
    values = [pa.field(f"v{i}", kind) for i in range(width)]
    schema = pa.schema([*chosen.plain.schema, *values])
    with atomic_write(path) as temporary, pyarrow.csv.CSVWriter(temporary, schema) as writer:
        for plain, vectors in chosen.blocks():
            columns = list(vectors.reshape(len(vectors), width).T)
            writer.write_table(pa.table([*plain.columns, *map(pa.array, columns)], schema=schema))


def _jsonl(chosen: Chosen, path: Path) -> None:
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for plain, vectors in chosen.blocks():
            for row, vector in zip(plain.to_pylist(), vectors, strict=True):
                file.write(json.dumps({**row, VECTOR: vector.tolist()}, ensure_ascii=False) + "\n")


def _lance(chosen: Chosen, path: Path) -> None:
    try:
        import lance
    except ModuleNotFoundError:
        raise missing_library("lance", "pylance") from None
    with replacing_folder(path, "_versions") as temporary:
        reader = pa.RecordBatchReader.from_batches(chosen.schema, chosen.batches())
        lance.write_dataset(reader, str(temporary))


def _huggingface(chosen: Chosen, path: Path) -> None:
    try:
        import datasets
    except ModuleNotFoundError:
        raise missing_library("huggingface", "datasets") from None
    datasets.disable_progress_bars()
    # It reads Arrow's stream by mapping it, so the rows pass through a file and not through memory.
    with replacing_folder(path, "dataset_info.json") as temporary:
        stream = half(path)
        try:
            with pa.ipc.new_stream(str(stream), chosen.schema) as writer:
                for batch in chosen.batches():
                    writer.write_batch(batch)
            datasets.Dataset.from_file(str(stream)).save_to_disk(str(temporary))
        finally:
            stream.unlink(missing_ok=True)


WRITERS: dict[str, Callable[[Chosen, Path], Any]] = {
    "parquet": _parquet,
    "arrow": _arrow,
    "npy": _npy,
    "safetensors": _safetensors,
    "csv": _csv,
    "jsonl": _jsonl,
    "lance": _lance,
    "huggingface": _huggingface,
}
