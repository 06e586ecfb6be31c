"""The process that decodes a spreadsheet that people gave, apart from the one that asks.

An .xlsx file is a ZIP archive, which may unpack to a thousand times its size: so this script is
limited in memory and CPU seconds, as parquet_child.py is, whose exit codes it has too. It reads the
file from stdin, and writes a line of JSON to stdout for the names of the sheets that hold anything,
then one for each row of the first of them, from its top. Dates are text there, as ISO 8601 has it.

Usage: spreadsheet_child.py ROWS BYTES
"""

from __future__ import annotations

import datetime
import io
import json
import resource
import sys
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

TOO_LARGE = 3
NOT_A_TABLE = 4
MEMORY_BYTES = 4 << 30
CPU_SECONDS = 600


def main(rows: int, size: int) -> int:
    for kind, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        lower = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (lower, hard))
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
        sheets = {name: workbook.get_sheet_by_name(name) for name in workbook.sheet_names}
        filled = [name for name, sheet in sheets.items() if sheet.height]
        print(json.dumps(filled))
        if not filled:
            return 0
        sheet = sheets[filled[0]]
        if sheet.end is not None and sheet.end[0] > rows:
            return TOO_LARGE
        for row in sheet.iter_rows():
            line = json.dumps(row, default=_text)
            size -= len(line)
            if size < 0:
                return TOO_LARGE
            print(line)
    except MemoryError:
        return TOO_LARGE
    except (CalamineError, ValueError, OSError):
        return NOT_A_TABLE
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # Rust's, which no class of ours can name
            return NOT_A_TABLE
        raise
    return 0


def _text(cell: Any) -> str:
    """A date or a time as text; of a date at midnight, the day alone."""
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return str(cell.date())
    return str(cell)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
