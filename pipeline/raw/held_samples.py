"""Samples of batches that stay out until somebody decides, though their batch is in.

<raw root>/<source>/held.csv, which git keeps, has a line for each. Ingest refuses these samples
with the reason HELD, and takes them up again once their line is gone.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.files.atomic import atomic_write

RECORD = "held.csv"
HELD = "held"
COLUMNS = ["batch", "sample", "why"]

# (batch, id of the sample within it) → why it is held.
Held = Mapping[tuple[str, str], str]


def read_held(folder: Path) -> dict[tuple[str, str], str]:
    """What is held of a source, whose folder is given; empty if nothing is.

    Raises
    ------
    PipelineError
        A line is not one that `write_held` writes.
    """
    path = folder / RECORD
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            columns, *lines = list(csv.reader(file)) or [[]]
    except (ValueError, csv.Error):  # what a spreadsheet made of it
        columns, lines = [], []
    wrong = next((n for n, line in enumerate(lines, 2) if len(line) != len(COLUMNS)), 0)
    if columns != COLUMNS or wrong:
        raise PipelineError(
            f"{path}, line {wrong or 1}: write {','.join(COLUMNS)} there, or bring it back: "
            f"`git log -p {path}` shows what stood there"
        )
    return {(batch, sample): why for batch, sample, why in lines}


def write_held(folder: Path, held: Held) -> None:
    """Write what is held of a source in the order of names; nothing is held where no file is."""
    path = folder / RECORD
    if not held:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([COLUMNS, *([*key, why] for key, why in sorted(held.items()))])
    with atomic_write(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def of_batch(held: Held, batch: str) -> dict[str, str]:
    """Id within the batch → why it is held."""
    return {sample: why for (name, sample), why in held.items() if name == batch}


def held_ids(folder: Path) -> Iterable[str]:
    """The ids by which tables call what is held of a source."""
    return (f"{folder.name}/{batch}/{sample}" for batch, sample in read_held(folder))
