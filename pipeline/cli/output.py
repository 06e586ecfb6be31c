"""Rows as people read them on a terminal, and as programs do in a pipe.

A terminal gets tables, with long values cut. A pipe gets one line a row, tabs between the values
and the columns' names in the first line; lists stand as JSON, and a tab, a line's end, a backslash
or another control character in a value as `\\t`, `\\n`, `\\\\`, `\\x1b`. With `--json` every row is
an object on a line of its own, wherever it goes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import chain, islice
from math import isfinite
from typing import TYPE_CHECKING, Any

from pipeline.core.terminal import json_line, say_tables, text, visible

if TYPE_CHECKING:
    import pyarrow as pa

Record = Mapping[str, Any]
# Rows of one table on a terminal: a longer result goes on in another, so that none is held whole.
TOGETHER = 200
# Values of a list that a terminal shows, and letters that a column has at least.
VALUES, NARROW = 4, 24


def show(records: Iterable[Record], columns: Sequence[str], as_json: bool) -> None:
    """Write rows to the standard output as they come."""
    if as_json:
        _write(json_line(_plain(record)) for record in records)
    elif _on_terminal():
        _tables(records, columns)
    else:
        lines = ("\t".join(_cell(record[name]) for name in columns) for record in records)
        _write(chain(["\t".join(map(visible, columns))], lines))


def records_of(batch: pa.RecordBatch) -> list[Record]:
    """The rows of a batch; a float32 as the shortest decimal that means it."""
    import pyarrow as pa

    for place, field in enumerate(batch.schema):
        if pa.types.is_float32(field.type):
            short = batch.column(place).cast(pa.string()).cast(pa.float64())
            batch = batch.set_column(place, field.name, short)
    return list(batch.to_pylist())


def numbers(values: Any) -> list[float | int]:
    """An array of numbers as a flat list; a float32 as the shortest decimal that means it."""
    flat = values.reshape(-1)
    return [float(str(value)) for value in flat] if flat.dtype.kind == "f" else flat.tolist()


def _on_terminal() -> bool:
    return sys.stdout.isatty()


def _write(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _tables(records: Iterable[Record], columns: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = Console().width
    rest = iter(records)
    page = list(islice(rest, TOGETHER))
    while True:
        cells = {name: [_short(name, record[name]) for record in page] for name in columns}
        between = 2 * (len(columns) - 1)
        widths = _widths(
            [max(map(len, [visible(n), *column])) for n, column in cells.items()],
            terminal - between,
        )
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name, width in zip(columns, widths, strict=True):
            number = all(_is_number(record[name]) for record in page)
            # Names and values alone have room to be whole; else a row is a line.
            table.add_column(
                text(name),
                width=width,
                justify="right" if number else "left",
                no_wrap=len(columns) > 2,
                overflow="fold" if len(columns) <= 2 else "ellipsis",
            )
        for row in zip(*cells.values(), strict=True):
            table.add_row(*map(Text, row))
        say_tables(table, width=max(terminal, sum(widths) + between))
        page = list(islice(rest, TOGETHER))
        if not page:
            return


def _widths(widths: Sequence[int], room: int) -> list[int]:
    """What each column gets: the widest give way, but none below `NARROW`."""
    most = max(widths, default=0)
    while most > NARROW and sum(min(width, most) for width in widths) > room:
        most -= 1
    return [min(width, most) for width in widths]


def _is_number(value: Any) -> bool:
    return value is None or (
        isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    )


def _short(name: str, value: Any) -> str:
    """A value on a terminal."""
    if name == "bytes" and isinstance(value, int):
        from rich.filesize import decimal

        return decimal(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list) and len(value) > VALUES and all(map(_is_number, value)):
        first = ", ".join(_short("", inner) for inner in value[:VALUES])
        return f"[{first}, …] ({len(value)})"
    return _cell(value)


def _cell(value: Any) -> str:
    """A value in a pipe."""
    value = _plain(value)
    if value is None:
        return ""
    return visible(value) if isinstance(value, str) else json_line(value)


def _plain(value: Any) -> Any:
    """The same of what JSON knows: a number that is not finite is null, bytes are hexadecimal."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return value.hex()
    return value if value is None or isinstance(value, str | int) else str(value)
