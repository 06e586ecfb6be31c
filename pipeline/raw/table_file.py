"""Rows of a CSV, JSON Lines or Parquet file that people wrote: bad rows are told, not raised.

Text that is not UTF-8 is kept with surrogate escapes, so that `encode(errors="surrogateescape")`
gives back the bytes that stood there.

A table is held in memory whole, so it has limits: of its rows, its columns, its lines and the bytes
that it decodes to. More belongs in more batches.
"""

from __future__ import annotations

import csv
import io
import json
import math
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NoReturn, TypeVar

import pyarrow as pa

from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.parsing import parse_json
from pipeline.raw import parquet_child

MAX_ROWS = 1_000_000
MAX_COLUMNS = 10_000
MAX_LINE = 16 << 20  # letters
MAX_BYTES = 256 << 20  # of a Parquet file's cells, decoded
MAGIC = b"PAR1"
Line = TypeVar("Line")


@dataclass(frozen=True)
class TableRow:
    """A row and its number, from 1, without its empty cells.

    `problem` says why it could not be read, and is empty if it could.
    """

    number: int
    cells: Mapping[str, Any]
    problem: str = ""


@dataclass(frozen=True)
class Table:
    """`columns` are those that the file has, whether or not a row fills them."""

    columns: list[str]
    rows: list[TableRow]


def read(name: str, data: bytes) -> Table:
    """Read a table from its file's bytes, by the ending of its name.

    Raises
    ------
    Rejected
        `bad_metadata`: the file as a whole cannot be read; `too_large`: it passes a limit.
    PipelineError
        This machine fell short while a Parquet file was decoded.
    """
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
    columns, rows = readers[PurePosixPath(name).suffix](name, data)
    if any(not _is_utf8(column) for column in columns):
        raise Rejected("bad_metadata", f"the column names of {name} are not UTF-8")
    if len(columns) > MAX_COLUMNS:
        raise Rejected("too_large", f"{name} has more than {MAX_COLUMNS:,} columns")
    twice = sorted(column for column, times in Counter(columns).items() if times > 1)
    if twice:
        raise Rejected("bad_metadata", f"{name} has two columns {', '.join(twice)}")
    return Table(columns, rows)


def _read_csv(name: str, data: bytes) -> tuple[list[str], list[TableRow]]:
    lines = _csv_lines(_lines(name, data, newline=""))
    columns, problem = next(lines, ([], "the file is empty"))
    if problem:
        raise Rejected("bad_metadata", f"{name} has no line of column names: {problem}")
    rows: list[TableRow] = []
    for number, (cells, problem) in enumerate(_limited(name, lines), 1):
        if not problem and len(cells) != len(columns):
            problem = f"it has {len(cells)} cells, and the table {len(columns)} columns"
        rows.append(
            _row(number, {} if problem else dict(zip(columns, cells, strict=True)), problem)
        )
    return columns, rows


def _csv_lines(file: Iterable[str]) -> Iterator[tuple[list[str], str]]:
    """(cells, problem) of each row; strict, so that a quote left open is a problem and no cell."""
    reader = csv.reader(file, strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield [], "its quotes are broken, or a cell is too long"
        else:
            if cells:
                yield cells, ""


def _read_jsonl(name: str, data: bytes) -> tuple[list[str], list[TableRow]]:
    lines = (line for line in _lines(name, data, newline="\n") if line.strip())
    read = [_json_object(line) for line in _limited(name, lines)]
    rows = [_row(number, cells, problem) for number, (cells, problem) in enumerate(read, 1)]
    return list(dict.fromkeys(name for cells, _ in read for name in cells)), rows


def _json_object(line: str) -> tuple[dict[str, Any], str]:
    """(cells, problem) of one line."""
    try:
        cells = parse_json(line, parse_constant=_refuse_constant)
        if not isinstance(cells, dict):
            return {}, "it is not a JSON object"
        cells = {name: _flat(cell) for name, cell in cells.items()}
    except (ValueError, RecursionError):
        return {}, "it is not JSON"
    if not all(map(_is_utf8, cells)):
        return {}, "its names are not UTF-8"
    return cells, ""


def _read_parquet(name: str, data: bytes) -> tuple[list[str], list[TableRow]]:
    not_whole = Rejected("bad_metadata", f"{name} is not a whole Parquet file")
    if not (data.startswith(MAGIC) and data.endswith(MAGIC)):
        raise not_whole
    child = subprocess.run(
        [sys.executable, "-P", parquet_child.__file__, str(MAX_ROWS), str(MAX_BYTES)],
        input=data,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if child.returncode in (-signal.SIGXCPU, parquet_child.TOO_LARGE):
        raise _too_large(name)
    if child.returncode > 0 and child.returncode != parquet_child.NOT_PARQUET:
        raise PipelineError(f"{name}: this machine has too little memory to decode it; free some")
    if child.returncode == -signal.SIGKILL:  # as the memory killer and people send it
        raise PipelineError(f"{name}: the process that decodes it was killed; free some memory")
    if child.returncode:
        raise not_whole
    try:
        with pa.ipc.open_stream(child.stdout) as stream:
            columns = stream.schema.names
            cells = (
                {name: _flat(cell) for name, cell in row.items()}
                for batch in stream
                for row in _cells(batch)
            )
            return columns, [_row(number, row, "") for number, row in enumerate(cells, 1)]
    except MemoryError:  # Arrow's too: the machine's fault, not the file's
        raise
    except (pa.ArrowException, ArithmeticError, UnicodeDecodeError):
        raise not_whole from None


def _cells(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """The rows of a batch, text as bytes where some of it is not UTF-8."""
    try:
        cells: list[dict[str, Any]] = batch.to_pylist()
    except UnicodeDecodeError:
        raw = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary()}
        columns = [column.cast(raw.get(column.type, column.type)) for column in batch.columns]
        cells = pa.RecordBatch.from_arrays(columns, names=batch.schema.names).to_pylist()
    return cells


def _lines(name: str, data: bytes, newline: str) -> Iterator[str]:
    file = io.TextIOWrapper(
        io.BytesIO(data), encoding="utf-8-sig", errors="surrogateescape", newline=newline
    )
    for line in file:
        if len(line) > MAX_LINE:
            raise Rejected("too_large", f"{name} has a line of more than {MAX_LINE:,} letters")
        yield line


def _limited(name: str, rows: Iterator[Line]) -> Iterator[Line]:
    for number, row in enumerate(rows, 1):
        if number > MAX_ROWS:
            raise _too_large(name)
        yield row


def _too_large(name: str) -> Rejected:
    return Rejected(
        "too_large",
        f"{name} has more than {MAX_ROWS:,} rows, or {MAX_BYTES >> 20} MiB of them: split it, with "
        f"its files, into several batches",
    )


def _row(number: int, cells: Mapping[str, Any], problem: str) -> TableRow:
    return TableRow(
        number, {name: cell for name, cell in cells.items() if not _is_empty(cell)}, problem
    )


def _flat(cell: Any) -> Any:
    """A list or a mapping as JSON, which takes a twentieth of the memory."""
    if isinstance(cell, list | dict):
        return json.dumps(cell, ensure_ascii=False, sort_keys=True, default=str)
    return cell


def _is_empty(cell: Any) -> bool:
    return cell is None or cell in ("", b"") or (isinstance(cell, float) and math.isnan(cell))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
