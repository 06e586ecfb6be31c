"""Aligned matrices of a join in a file.

| form | what it holds |
|---|---|
| .npz | arrays: `<set>`, `<set>.length`, `<set>.present`, `sample_ids`, `split`, `target.<name>` |
| .safetensors | the same numbers; ids, split and targets as JSON lists in the file's metadata |
| .parquet | one row per sample; a set's vector is null where the sample lacks it |
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import PipelineError
from pipeline.core.files.atomic import atomic_write
from pipeline.store.files.output_path import check_free
from pipeline.store.format.layout import VECTOR, vector_column

if TYPE_CHECKING:
    from pipeline.store.join import Joined


def check_joined(path: Path, project: Path, force: bool) -> None:
    """Let through a path that a join may be written to, before the work begins.

    Raises
    ------
    PipelineError
        The suffix is of no form, or the path is taken or lies below data/.
    """
    if path.suffix not in WRITERS:
        raise PipelineError(f"{path}: a join is written as one of {', '.join(WRITERS)}")
    check_free(path, project, force)


def write_joined(joined: Joined, path: Path) -> None:
    """Write a join; its suffix, one of `WRITERS`, says the form."""
    with atomic_write(path) as temporary:
        WRITERS[path.suffix](joined, temporary)


def _tensors(joined: Joined) -> dict[str, np.ndarray]:
    tensors = {}
    for name, values in joined.values.items():
        tensors[name] = values
        tensors[f"{name}.length"] = joined.lengths[name]
        tensors[f"{name}.present"] = joined.present[name]
    return tensors


def _npz(joined: Joined, path: Path) -> None:
    # Text of a fixed width, "" for none, so that the file opens without pickle.
    arrays: dict[str, Any] = {
        f"target.{name}": np.array([label or "" for label in values])
        if values.dtype == "O"
        else values
        for name, values in joined.targets.items()
    }
    arrays |= _tensors(joined)
    ids = np.array(joined.sample_ids, dtype=np.str_)
    with path.open("wb") as file:
        np.savez(file, sample_ids=ids, split=joined.split, **arrays)


def _safetensors(joined: Joined, path: Path) -> None:
    from safetensors.numpy import save_file

    lists: dict[str, list[Any]] = {
        "sample_ids": joined.sample_ids,
        "split": joined.split.tolist(),
        **{f"target.{name}": values.tolist() for name, values in joined.targets.items()},
    }
    metadata = {name: json.dumps(values, ensure_ascii=False) for name, values in lists.items()}
    save_file(_tensors(joined), path, metadata)


def _parquet(joined: Joined, path: Path) -> None:

    columns: dict[str, pa.Array] = {
        "sample_id": pa.array(joined.sample_ids, pa.string()),
        "split": pa.array(joined.split.tolist(), pa.string()),
    }
    for name, values in joined.targets.items():
        columns[f"target.{name}"] = pa.array(values, from_pandas=True)
    table = pa.table(columns)
    for name, values in joined.values.items():
        field, vectors = _nullable(values, joined.present[name])
        table = table.append_column(field.with_name(name), vectors)
        table = table.append_column(f"{name}.length", pa.array(joined.lengths[name]))
    pq.write_table(table, path, compression="zstd")


def _nullable(values: np.ndarray, present: np.ndarray) -> tuple[pa.Field, pa.Array]:
    field, vectors = vector_column(values)
    flat, kind = vectors.flatten(), pa.list_(field.type.value_type, field.type.list_size)
    column = pa.FixedSizeListArray.from_arrays(flat, type=kind, mask=pa.array(~present))
    return pa.field(VECTOR, kind, metadata=field.metadata), column


WRITERS: dict[str, Callable[[Joined, Path], None]] = {
    ".npz": _npz,
    ".safetensors": _safetensors,
    ".parquet": _parquet,
}
