"""Predictions in a file, row by row as they come: Parquet, CSV or lines of JSON.

In Parquet shares are maps; in JSON they are objects; in CSV such cells hold JSON.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import PipelineError
from pipeline.core.files.atomic import atomic_write

Write = Callable[[pa.Table], None]


def check_form(path: Path) -> None:
    """Let through a path whose ending says a form; PipelineError with those that there are."""
    if path.suffix not in WRITERS:
        raise PipelineError(f"{path}: predictions are written as one of {', '.join(WRITERS)}")


@contextmanager
def prediction_file(path: Path, schema: pa.Schema) -> Iterator[Write]:
    """What takes tables of a schema; the file is there, whole, once the block ends well."""
    with atomic_write(path) as temporary, WRITERS[path.suffix](temporary, schema) as write:
        yield write


def plain_rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Rows of what JSON knows: maps as objects, a float32 as the shortest decimal that means it."""
    for row in table.to_pylist():
        yield {field.name: _plain(row[field.name], field.type) for field in table.schema}


def _plain(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_map(kind):
        return {key: _plain(inner, kind.item_type) for key, inner in value}
    return float(str(np.float32(value))) if pa.types.is_float32(kind) else value


@contextmanager
def _parquet(path: Path, schema: pa.Schema) -> Iterator[Write]:
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        yield writer.write_table


@contextmanager
def _jsonl(path: Path, schema: pa.Schema) -> Iterator[Write]:
    with path.open("w", encoding="utf-8") as file:

        def write(table: pa.Table) -> None:
            file.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in plain_rows(table))

        yield write


@contextmanager
def _csv(path: Path, schema: pa.Schema) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(schema.names)

        def write(table: pa.Table) -> None:
            writer.writerows([_cell(value) for value in row.values()] for row in plain_rows(table))

        yield write


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


WRITERS = {".parquet": _parquet, ".csv": _csv, ".jsonl": _jsonl}
