"""Tables that stages write for people and for pages: CSV in UTF-8, with a header."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any


def write_table(path: Path, columns: Collection[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows of these columns; a cell is empty where a row lacks one."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
