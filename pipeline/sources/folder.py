"""Any folder with a table that says what belongs together, as Hugging Face's ImageFolder has it.

At the batch's root lies one of metadata.csv, metadata.jsonl and metadata.parquet, with a row for
each sample. Its columns, all of them optional:

- `file_name`: a file whose media type says the modality;
- `<modality>_file_name`, such as `image_file_name`: a file of that modality;
- `text`, or another modality whose content can be written in a cell: the content itself;
- `sample_id`: else the sample is called after its files, or by its row where it has none;
- `group`: what must not straddle splits, such as a speaker; else each sample is its own group;
- `split`: train, validation (or valid, val, dev) or test;
- any others, which params name as targets or attributes.

Paths are relative to the batch's folder. An empty cell is a missing one. A table may have a million
rows and 256 MiB (pipeline/raw/table_file.py, pipeline/raw/folders.py); more samples make more
batches.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from pydantic import Field, field_validator

from pipeline.core.errors import Rejected
from pipeline.core.options import Options as Base
from pipeline.core.records import Inline, Refusal, Sample, Scan, Split
from pipeline.raw.folders import Folder
from pipeline.raw.media_types import inline_types, modality_by_name
from pipeline.raw.table_file import Table, TableRow, read

TABLES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
FILE_NAME = "file_name"
SPLITS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}


class Options(Base):
    """What the columns of the table mean."""

    targets: dict[str, str] = Field(
        default_factory=dict, description="column → name of the target that it holds"
    )
    attributes: tuple[str, ...] = Field(
        (), description="columns that reports may group by, kept as text"
    )
    licence: str | None = Field(None, description="licence of all that lies in the source")

    @field_validator("targets")
    @classmethod
    def _one_column_a_target(cls, targets: dict[str, str]) -> dict[str, str]:
        twice = sorted({name for name in targets.values() if [*targets.values()].count(name) > 1})
        if twice:
            raise ValueError(f"more than one column for the target {', '.join(twice)}")
        return targets


def scan(folder: Folder, options: Options) -> Scan:
    """A sample for every row of the table that makes one."""
    tables = [name for name in TABLES if name in folder.listing.files]
    try:
        if len(tables) != 1:
            raise Rejected(*_not_one(tables))
        table = read(tables[0], folder.read(tables[0]))
        _check_columns(table, options)
    except Rejected as reject:
        named = " ".join(tables) or TABLES[0]
        return Scan([], [Refusal("file", named, reject.reason, reject.message)], tables)

    samples, refused = [], []
    for row in table.rows:
        where = f"{tables[0]}:{row.number}"
        try:
            samples.append(_sample(row, where, tables[0], options))
        except Rejected as reject:
            refused.append(Refusal("row", where, reject.reason, reject.message))
    return Scan(samples, refused, tables)


def _sample(row: TableRow, where: str, table: str, options: Options) -> Sample:
    if row.problem:
        raise Rejected("bad_row", f"the row cannot be read: {row.problem}")
    cells = row.cells
    assets: dict[str, str | Inline] = dict(_files(cells))
    names = [str(path) for _, path in sorted(assets.items())]
    for modality in sorted(inline_types().keys() & cells.keys()):
        if modality in assets:
            raise Rejected("ambiguous", f"the row has two contents for {modality}")
        # Bytes that are not UTF-8 go on as they stood there: cleaning mends or rejects them.
        assets[modality] = Inline(_encode(cells, modality, errors="surrogateescape"), table)
    return Sample(
        sample_id=_utf8(cells, "sample_id") or "+".join(names) or where,
        group=_utf8(cells, "group"),
        assets=assets,
        split_given=_split(cells),
        licence=options.licence,
        targets={name: _target(cells, column) for column, name in options.targets.items()},
        attributes={column: _utf8(cells, column) for column in options.attributes},
    )


def _files(cells: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(modality, path) for each cell that names a file."""
    seen = set()
    for column in sorted(cells):
        if column != FILE_NAME and not column.endswith(f"_{FILE_NAME}"):
            continue
        path = PurePosixPath(_utf8(cells, column) or "").as_posix()
        modality = column.removesuffix(FILE_NAME).removesuffix("_") or modality_by_name(path)
        if modality is None:
            raise Rejected("unknown_media_type", f"the ending of {path} says no modality")
        if modality in seen:
            raise Rejected("ambiguous", f"the row has two contents for {modality}")
        seen.add(modality)
        yield modality, path


def _split(cells: Mapping[str, Any]) -> Split | None:
    given = _utf8(cells, "split")
    if given is None:
        return None
    if given.lower() not in SPLITS:
        raise Rejected("unknown_split", f"'{given}' is not a split: train, validation, test")
    return SPLITS[given.lower()]


def _target(cells: Mapping[str, Any], column: str) -> str | float | None:
    """A number as it is, so that ingest sees one; anything else as text."""
    value = cells.get(column)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return _utf8(cells, column)


def _utf8(cells: Mapping[str, Any], column: str) -> str | None:
    """A cell as text that is fit for every table, or None if it is empty."""
    return _encode(cells, column).decode() if column in cells else None


def _encode(cells: Mapping[str, Any], column: str, errors: str = "strict") -> bytes:
    try:
        return _text(cells[column]).encode(errors=errors)
    except UnicodeEncodeError:
        raise Rejected("not_utf8", f"the column {column} is not UTF-8") from None


def _text(value: Any) -> str:
    """A cell as text: numbers and truth values as JSON writes them."""
    if isinstance(value, bytes):
        return value.decode(errors="surrogateescape")
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return str(value)


def _check_columns(table: Table, options: Options) -> None:
    """Refuse a table that lacks what it is read for: a typing error, or another table."""
    listed = ", ".join(table.columns)
    if not any(name in inline_types() or name.endswith(FILE_NAME) for name in table.columns):
        holds = " or ".join(sorted(inline_types()))
        said = f"no column names a file or holds {holds}; there are: {listed}"
        raise Rejected("bad_metadata", said)
    missing = {*options.targets, *options.attributes} - set(table.columns)
    if missing:
        missed = ", ".join(sorted(missing))
        raise Rejected("missing_column", f"there is no column {missed}; there are: {listed}")


def _not_one(tables: list[str]) -> tuple[str, str]:
    if tables:
        return "bad_metadata", f"more than one table: {', '.join(tables)}"
    return "bad_metadata", f"none of {', '.join(TABLES)} lies in the batch's folder"
