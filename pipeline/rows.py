"""Rows of a CSV, JSON Lines or Parquet file that people wrote: bad rows are told, not raised.

Text that is not UTF-8 is kept with surrogate escapes, so that `encode(errors="surrogateescape")`
gives back the bytes that stood there.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NoReturn

from pipeline.errors import Rejected
from pipeline.parsing import parse_json


@dataclass(frozen=True)
class Row:
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
    rows: list[Row]


def read(name: str, data: bytes) -> Table:
    """Read a table from its file's bytes, by the ending of its name.

    Raises
    ------
    Rejected
        `bad_metadata`: the file as a whole cannot be read.
    """
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
    columns, rows = readers[PurePosixPath(name).suffix](name, data)
    if any(not _is_utf8(column) for column in columns):
        raise Rejected("bad_metadata", f"the column names of {name} are not UTF-8")
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise Rejected("bad_metadata", f"{name} has two columns {', '.join(twice)}")
    return Table(columns, rows)


def _read_csv(name: str, data: bytes) -> tuple[list[str], list[Row]]:
    text = data.decode("utf-8-sig", errors="surrogateescape")
    lines = _csv_lines(io.StringIO(text, newline=""))
    columns, problem = next(lines, ([], "the file is empty"))
    if problem:
        raise Rejected("bad_metadata", f"{name} has no line of column names: {problem}")
    rows: list[Row] = []
    for number, (cells, problem) in enumerate(lines, 1):
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


def _read_jsonl(name: str, data: bytes) -> tuple[list[str], list[Row]]:
    text = data.decode("utf-8-sig", errors="surrogateescape")
    lines = [line for line in text.split("\n") if line.strip()]
    read = [_json_object(line) for line in lines]
    rows = [_row(number, cells, problem) for number, (cells, problem) in enumerate(read, 1)]
    return list(dict.fromkeys(name for cells, _ in read for name in cells)), rows


def _json_object(line: str) -> tuple[dict[str, Any], str]:
    """(cells, problem) of one line."""
    try:
        cells = parse_json(line, parse_constant=_refuse_constant)
    except ValueError:
        return {}, "it is not JSON"
    if not isinstance(cells, dict):
        return {}, "it is not a JSON object"
    if not all(map(_is_utf8, cells)):
        return {}, "its names are not UTF-8"
    return cells, ""


def _read_parquet(name: str, data: bytes) -> tuple[list[str], list[Row]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError):
        raise Rejected("bad_metadata", f"{name} is not a whole Parquet file") from None
    rows = [_row(number, cells, "") for number, cells in enumerate(table.to_pylist(), 1)]
    return table.column_names, rows


def _row(number: int, cells: Mapping[str, Any], problem: str) -> Row:
    return Row(number, {name: cell for name, cell in cells.items() if not _is_empty(cell)}, problem)


def _is_empty(cell: Any) -> bool:
    return cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
