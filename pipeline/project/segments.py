"""A folder of films → a table with a row for each span of their time, for people to label.

Ingest opens no file, and what a row is about is the data's to say: so spans stand in the table,
where labels of their own can be written beside them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipeline.core import spans
from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.file_bytes import Bytes, FileBytes
from pipeline.core.registry import load
from pipeline.modalities import FOLDER, has_part
from pipeline.raw.folders import LocalFolder
from pipeline.raw.media_types import modality_by_name
from pipeline.raw.table_file import read
from pipeline.sources.folder import FILE_NAME, TABLES

TABLE = "metadata.csv"
Row = Mapping[str, Any]


class Segments(Protocol):
    """The part `segments` of a modality whose files have a time."""

    def windows(self, data: Bytes, length: int, hop: int) -> list[spans.Span]:
        """Spans of `length` ms, one each `hop` ms, until one reaches the end."""

    def shots(self, data: Bytes, detector: str, shortest: int) -> list[spans.Span]:
        """Spans from cut to cut of at least `shortest` ms."""


@dataclass(frozen=True)
class Written:
    """What came of it; `refused` are the files that have no spans, with the reasons."""

    rows: int
    files: int
    refused: dict[str, str]


def write_segments(
    folder: Path, cut: Callable[[Segments, Bytes], list[spans.Span]], out: Path, force: bool = False
) -> Written:
    """Write a table with the rows of the folder's own, each once for every span of its film.

    Without a table each film is a row. A row without a film, or with one that cannot be read, stays
    as it is, so that ingest tells of it.

    Parameters
    ----------
    cut:
        Which spans, of what the modality can cut and a file's bytes.
    out:
        Where: `metadata.csv` of the folder is what the source `folder` reads.
    force:
        Whether to replace a file that is there.

    Raises
    ------
    PipelineError
        There is no film, a table cannot be read, or a file is there.
    """
    if out.exists() and not force:
        raise PipelineError(f"{out} is there already: give --force to replace it, or --output")
    local = LocalFolder(folder)
    rows, made, refused = [], {}, {}
    for row in _rows(local):
        film = next((str(cell) for cell in row.values() if _holder(str(cell))), None)
        if film is None or film not in local.listing.files:
            rows.append(row)
            continue
        if film not in made:
            try:
                segments = load(f"{FOLDER}/{_holder(film)}", "segments", Segments)
                made[film] = cut(segments, FileBytes(folder / film))
            except Rejected as rejected:
                made[film], refused[film] = [], f"{rejected.reason}: {rejected.message}"
        rows += _spanned(row, made[film]) or [row]
    if not made:
        raise PipelineError(f"{folder} has no film, or none that its table names")
    columns = dict.fromkeys(column for row in rows for column in row)
    with (
        atomic_write(out) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return Written(len(rows), len(made) - len(refused), refused)


def _rows(local: LocalFolder) -> Iterator[Row]:
    """Those of the folder's table, or one for each film."""
    tables = [name for name in TABLES if name in local.listing.files]
    if not tables:
        for path in local.listing.files:
            if modality := _holder(path):
                yield {f"{modality}_{FILE_NAME}": path}
        return
    try:
        table = read(tables[0], local.read(tables[0]))
    except Rejected as rejected:
        raise PipelineError(f"{local.path / tables[0]}: {rejected.message}") from None
    for row in table.rows:
        if row.problem:
            raise PipelineError(f"{local.path / tables[0]}:{row.number}: {row.problem}")
        yield row.cells


def _spanned(row: Row, cut: list[spans.Span]) -> list[Row]:
    """The row once for each span, with an id of its own if it had one; one that is a span stays."""
    if row.get("start") or row.get("end"):
        return [row]
    made: list[dict[str, Any]] = []
    for span in cut:
        start, end = (f"{time / 1000:.3f}" for time in span)
        made.append({**row, "start": start, "end": end})
        if "sample_id" in row:
            made[-1]["sample_id"] = spans.join(str(row["sample_id"]), spans.PATH, span)
    return list(made)


def _holder(path: str) -> str | None:
    """The modality of a file whose time can be cut; None of another file."""
    modality = modality_by_name(path)
    return modality if modality and has_part(modality, "segments") else None
