"""Rows of a table that people wrote (CSV, JSON, Parquet, Excel): bad rows are told, not raised.

Text that is not UTF-8 is kept with surrogate escapes, so that `encode(errors="surrogateescape")`
gives back the bytes that stood there.

A table is held in memory whole, so it has limits: of its rows, its columns, its lines and the bytes
that it decodes to. More belongs in more batches.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import json
import math
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.identity import canonical, column_name
from pipeline.core.text_decoding import MARKS
from pipeline.raw import csv_lines, json_rows, parquet_child

MAX_ROWS = 1_000_000
MAX_LINES = 16 * MAX_ROWS  # as cells may hold several
MAX_COLUMNS = 10_000
MAX_LINE = 16 << 20  # letters
MAX_BYTES = 256 << 20  # of a Parquet file's cells, decoded
MAGIC = b"PAR1"


@dataclass(frozen=True)
class TableRow:
    """A row and where it stands, without its empty cells.

    `number` is that of its first line, from 1, in files of lines; else that of the row, from 1.
    `problem` says why it could not be read, and is empty if it could.
    """

    number: int
    cells: Mapping[str, Any]
    problem: str = ""


@dataclass(frozen=True)
class Table:
    """`columns` are those that the file has and names, whether or not a row fills them.

    `unit` is what the rows' numbers count: line, row or item.
    """

    columns: list[str]
    rows: list[TableRow]
    unit: str = "line"


def read(name: str, data: bytes, fallback: str | None = None) -> Table:
    """Read a table from its file's bytes, by the ending of its name.

    Column names are taken in NFC and without blanks at their ends; columns without a name, as
    spreadsheets and pandas leave them, are no columns.

    Parameters
    ----------
    fallback:
        Encoding of lines that are not Unicode; without one their bytes are kept.

    Raises
    ------
    Rejected
        `bad_metadata`: the file as a whole cannot be read; `broken_quotes`: see csv_lines.py;
        `too_large`: it passes a limit.
    PipelineError
        This machine fell short while a Parquet file was decoded.
    """
    suffix = PurePosixPath(name).suffix
    if suffix in DECODED_APART:
        table = DECODED_APART[suffix](name, data)
    else:
        lines = _lines(name, data, fallback, only_newlines=suffix in (".json", ".jsonl"))
        table = (_read_json if suffix in (".json", ".jsonl") else _read_csv)(name, lines)
    if any(not json_rows.is_utf8(column) for column in table.columns):
        raise Rejected("bad_metadata", f"the column names of {name} are not UTF-8")
    if len(table.columns) > MAX_COLUMNS:
        raise Rejected("too_large", f"{name} has more than {MAX_COLUMNS:,} columns")
    twice = sorted(column for column, times in Counter(table.columns).items() if times > 1)
    if twice:
        raise Rejected("bad_metadata", f"{name} has two columns {', '.join(twice)}")
    return table


def _read_csv(name: str, lines: list[str]) -> Table:
    delimiter = csv_lines.delimiter_of(name, lines)
    header, *records = csv_lines.records(name, lines, delimiter)
    if len(records) > MAX_ROWS:
        raise _too_large(name)
    columns = [column_name(cell) for cell in header.cells]
    rows: list[TableRow] = []
    for record in records:
        problem, count = record.problem, len(record.cells)
        if not problem and count != len(columns):
            problem = f"it has {count} cells, and the table {len(columns)} columns"
            if count > len(columns):
                problem += '; a cell that holds a separator stands between quotation marks (")'
            if record.past - record.first > 1:
                problem += f"; it goes on to line {record.past}"
        cells = {} if problem else dict(zip(columns, record.cells, strict=True))
        rows.append(_row(record.first + 1, cells, problem))
    return Table(list(filter(None, columns)), rows)


def _read_json(name: str, lines: list[str]) -> Table:
    """An object a line; what can be read as one array of objects, or must be, is read so."""
    first = next((line.lstrip()[0] for line in lines if line.strip()), "")
    items = _json_array(name, "".join(lines)) if first == "[" else None
    if items is not None:
        return _of_objects(name, enumerate(items, 1), "item")
    if name.endswith(".json"):
        whole = "".join(lines)
        if first == "[" or json_rows.of_object(whole)[0]:
            message = f'{name} is no array of objects, such as [{{"text": "a"}}, …]'
            raise Rejected("bad_metadata", message)
    written = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    return _of_objects(
        name, ((number, json_rows.of_object(line)) for number, line in written), "line"
    )


def _of_objects(name: str, objects: Iterable[tuple[int, json_rows.Row]], unit: str) -> Table:
    rows: list[TableRow] = []
    columns: dict[str, None] = {}
    for number, (cells, problem) in objects:
        if len(rows) == MAX_ROWS:
            raise _too_large(name)
        rows.append(_row(number, cells, problem))
        columns |= dict.fromkeys(filter(None, cells))
    return Table(list(columns), rows, unit)


def _json_array(name: str, text: str) -> list[json_rows.Row] | None:
    """The items of an array, or None if it is no JSON."""
    rows: list[json_rows.Row] = []
    try:
        for row in json_rows.of_array(name, text, MAX_LINE):
            if len(rows) == MAX_ROWS:
                raise _too_large(name)
            rows.append(row)
    except ValueError:
        return None
    return rows


def _read_parquet(name: str, data: bytes) -> Table:
    not_whole = Rejected("bad_metadata", f"{name} is not a whole Parquet file")
    if not (data.startswith(MAGIC) and data.endswith(MAGIC)):
        raise not_whole
    stdout = _decoded_apart(parquet_child.__file__, name, data, not_whole)
    try:
        with pa.ipc.open_stream(stdout) as stream:
            columns = list(map(column_name, stream.schema.names))
            cells = (
                dict(zip(columns, map(json_rows.flat, row.values()), strict=True))
                for batch in stream
                for row in _cells(batch)
            )
            rows = [_row(number, row, "") for number, row in enumerate(cells, 1)]
            return Table(list(filter(None, columns)), rows, "row")
    except MemoryError:  # Arrow's too: the machine's fault, not the file's
        raise
    except (pa.ArrowException, ArithmeticError, ValueError):  # years that Python does not know
        raise not_whole from None


def _read_spreadsheet(name: str, data: bytes) -> Table:
    """The only sheet that holds anything, numbered as people see its rows."""
    if find_spec("python_calamine") is None:
        raise PipelineError(
            f"{name}: spreadsheets are read by python-calamine, which is not installed: "
            "pip install 'multimodal-pipeline[excel]'"
        )
    broken = Rejected("bad_metadata", f"{name} is not a whole spreadsheet")
    script = str(Path(__file__).with_name("spreadsheet_child.py"))  # it imports what is an extra
    sheets, *lines = map(json.loads, _decoded_apart(script, name, data, broken).splitlines())
    if len(sheets) != 1:
        listed = f"it has {', '.join(sheets)}: keep one of them" if sheets else "it is empty"
        raise Rejected("bad_metadata", f"{name} is read where one sheet holds anything; {listed}")
    filled = [(n, cells) for n, cells in enumerate(lines, 1) if any(c != "" for c in cells)]
    (_, header), *rows = filled
    columns = [column_name(canonical(cell)) for cell in header]
    return Table(
        list(filter(None, columns)),
        [_row(number, dict(zip(columns, cells, strict=True)), "") for number, cells in rows],
        "row",
    )


def _decoded_apart(script: str, name: str, data: bytes, broken: Rejected) -> bytes:
    """What a process prints that decodes a file; `broken` is raised where it is none."""
    child = subprocess.run(
        [sys.executable, "-P", script, str(MAX_ROWS), str(MAX_BYTES)],
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
        raise broken
    return child.stdout


def _cells(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """The rows of a batch, text as bytes where some of it is not UTF-8."""
    names = batch.schema.names
    batch = pa.RecordBatch.from_arrays(list(map(_as_stated, batch.columns)), names=names)
    try:
        cells: list[dict[str, Any]] = batch.to_pylist()
    except UnicodeDecodeError:
        raw = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary()}
        columns = [column.cast(raw.get(column.type, column.type)) for column in batch.columns]
        cells = pa.RecordBatch.from_arrays(columns, names=names).to_pylist()
    return cells


def _as_stated(column: pa.Array) -> pa.Array:
    """Numbers by the fewest digits that tell them, 0.1 and not 0.10000000149; times to the µs."""
    if pa.types.is_float32(column.type):
        return column.cast(pa.string()).cast(pa.float64())
    if pa.types.is_timestamp(column.type):  # finer ones are no datetime of Python's
        return column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return column


def _lines(name: str, data: bytes, fallback: str | None, only_newlines: bool) -> list[str]:
    """Physical lines with their endings: a carriage return alone ends one too, but not in JSON.

    Each line is decoded by itself, as files that were put together are Unicode in part alone.
    """
    marked = next((encoding for mark, encoding in MARKS if data.startswith(mark)), None)
    if marked and marked != "utf-8-sig":
        try:
            data = data.decode(marked).encode()
        except UnicodeError:
            raise Rejected("bad_metadata", f"{name} begins as {marked}, and is not") from None
    lines: list[str] = []
    for line in io.BytesIO(data.removeprefix(codecs.BOM_UTF8)):
        for piece in [line] if only_newlines else line.splitlines(keepends=True):
            lines.append(_decoded(piece, fallback))
            # A whole array of JSON may stand in one line; its items are held to the limit.
            array = only_newlines and piece.lstrip().startswith(b"[")
            if len(lines[-1]) > MAX_LINE and not array:
                message = f"{name} has a line of more than {MAX_LINE:,} letters"
                raise Rejected("too_large", message)
        if len(lines) > MAX_LINES:
            raise _too_large(name)
    return lines


def _decoded(line: bytes, fallback: str | None) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        with contextlib.suppress(UnicodeError):
            if fallback:
                return line.decode(fallback)
        return line.decode(errors="surrogateescape")


def _too_large(name: str) -> Rejected:
    return Rejected(
        "too_large",
        f"{name} has more than {MAX_ROWS:,} rows, or {MAX_BYTES >> 20} MiB of them: split it, with "
        f"its files, into several batches",
    )


def _row(number: int, cells: Mapping[str, Any], problem: str) -> TableRow:
    return TableRow(
        number,
        {name: cell for name, cell in cells.items() if name and not _is_empty(cell)},
        problem,
    )


def _is_empty(cell: Any) -> bool:
    return cell is None or cell in ("", b"") or (isinstance(cell, float) and math.isnan(cell))


DECODED_APART = {".parquet": _read_parquet, ".xlsx": _read_spreadsheet}
