"""Columns of a table that says what belongs together: their names, and what their cells hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from pipeline.core import spans
from pipeline.core.errors import Rejected
from pipeline.core.identity import canonical
from pipeline.core.records import Split
from pipeline.raw.downloads import file_name, is_url
from pipeline.raw.media_types import inline_types, modality_by_name

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
TIMES = ("start", "end")
ROLES = ("sample_id", "group", "split", *TIMES)


def _names_file(role: str) -> bool:
    return role == FILE_NAME or role.endswith(f"_{FILE_NAME}")


def holds_content(role: str) -> bool:
    """Whether cells of such a column are the content of an asset, or name its file."""
    return role in inline_types() or _names_file(role)


def is_role(name: str) -> bool:
    """Whether the source knows what a column is that is called so."""
    return name in ROLES or holds_content(name)


def roles_of(columns: Iterable[str], renamed: Mapping[str, str]) -> dict[str, str]:
    """What the source calls a column → what the table does; `renamed` is the option `columns`."""
    by_option = {role: column for column, role in renamed.items()}
    known = [name for name in columns if is_role(name)]
    return {name: name for name in known if name not in renamed} | by_option


def files_of(cells: Mapping[str, Any], roles: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """(modality, column, path) for each cell that names a file; a URL stays as it is."""
    seen: dict[str, str] = {}
    for role, column in sorted(roles.items()):
        if not _names_file(role):
            continue
        cell = _utf8(cells, column)
        path = cell if is_url(cell) else PurePosixPath(cell).as_posix()
        named = modality_by_name(spans.split(file_name(path), spans.PATH)[0])
        modality = role.removesuffix(FILE_NAME).removesuffix("_") or named
        if modality is None:
            raise Rejected(
                "unknown_media_type",
                f"column {column}: the ending of '{path}' says no modality; rename the file, or "
                f"call the column image_{FILE_NAME} or the like",
            )
        if modality in seen:
            both = f"columns {seen[modality]} and {column}"
            raise Rejected("ambiguous", f"{both} both name a file of {modality}: empty one of them")
        seen[modality] = column
        yield modality, column, path


def span_of(cells: Mapping[str, Any], roles: Mapping[str, str], path: str) -> spans.Span | None:
    """The span that a row is of, if it is of one; `path` is what it is cut from."""
    stated = [name_of(cells, roles.get(role)) for role in TIMES]
    if stated == [None, None]:
        return None
    try:
        start, end = (spans.milliseconds(cell or "") for cell in stated)
    except ValueError as error:
        raise Rejected("bad_span", f"columns start and end: {error}") from None
    if not 0 <= start < end:
        raise Rejected("bad_span", f"it would begin at {stated[0]} s and end at {stated[1]} s")
    if is_url(path):
        raise Rejected("bad_span", f"of what a URL names no span can be taken: {path}")
    return spans.Span(start, end)


def split_of(cells: Mapping[str, Any], column: str | None) -> Split | None:
    """The split that a row states, by whatever usual name, if it states one."""
    name = name_of(cells, column)
    if name is None:
        return None
    if name.lower() not in SPLITS:
        known = ", ".join(dict.fromkeys(SPLITS.values()))
        message = f"column {column}: '{name}' is not a split; give one of {known}, or none"
        raise Rejected("unknown_split", message)
    return SPLITS[name.lower()]


def target_of(cells: Mapping[str, Any], column: str) -> str | float | None:
    """A number as it is, so that ingest sees one; anything else as text."""
    value = cells.get(column)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return name_of(cells, column)


def name_of(cells: Mapping[str, Any], column: str | None) -> str | None:
    """A cell as the name of something, fit for every table, or None if it is empty."""
    if column is None or column not in cells:
        return None
    return canonical(cells[column] if type(cells[column]) is not str else _utf8(cells, column))


def _utf8(cells: Mapping[str, Any], column: str) -> str:
    """A cell as text that is UTF-8."""
    data = text_of(cells, column)
    try:
        return data.decode()
    except UnicodeDecodeError:
        beginning = data[:40].decode(errors="backslashreplace")
        raise Rejected(
            "not_utf8",
            f"column {column}: '{beginning}' is not UTF-8; write the table as UTF-8, or say its "
            f"encoding by the source's option fallback, such as cp1252",
        ) from None


def text_of(cells: Mapping[str, Any], column: str) -> bytes:
    """A cell as the bytes of its text; numbers and truth values in the form that names take."""
    value = cells[column]
    if isinstance(value, bytes):
        return value
    try:
        text = value if isinstance(value, str) else canonical(value)
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:  # JSON can spell half a character
        raise Rejected("not_utf8", f"column {column}: it holds what is no character") from None
