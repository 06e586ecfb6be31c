"""What a finished stage holds: the manifest, and reading what it lists.

Readers follow the manifest alone, so parts that a failed run left beside it are never seen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.digest import digest_json
from pipeline.errors import PipelineError
from pipeline.part import Entry, read_footer, read_part
from pipeline.records import SCHEMA_VERSION, Reject
from pipeline.replacing import replacing

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.fingerprint import Fingerprint

MANIFEST = "manifest.json"


def read_manifest(out: Path) -> list[Entry]:
    """The parts of a finished stage, in the order of their rows.

    Raises
    ------
    PipelineError
        There is no manifest, or it is not one.
    """
    try:
        return load_manifest(out / MANIFEST)
    except FileNotFoundError:
        raise PipelineError(f"{out} has no {MANIFEST}: run `dvc repro` to make it") from None


def load_manifest(path: Path) -> list[Entry]:
    """The parts that a manifest's file lists; see `read_manifest`. It may lie in DVC's cache."""
    try:
        return [Entry(**entry) for entry in json.loads(path.read_text())["parts"]]
    except (ValueError, TypeError, KeyError):
        raise PipelineError(f"{path} is damaged: delete {path.parent} and `dvc repro`") from None


def manifest_digest(out: Path) -> str:
    """Digest of all that readers learn from a stage: its parts, in order, and whose they are."""
    entries = read_manifest(out)
    return digest_json([[entry.key, entry.source, entry.batch, entry.md5] for entry in entries])


def read_function(out: Path) -> dict[str, Any]:
    """The fingerprint under which a stage's parts were made; empty where there is none."""
    try:
        manifest = json.loads((out / MANIFEST).read_text())
        function: dict[str, Any] = manifest["function"]
    except (OSError, ValueError, TypeError, KeyError):
        return {}
    return function


def write_manifest(
    out: Path, stage: str, entries: Sequence[Entry], fingerprint: Fingerprint
) -> None:
    manifest = {
        "schema": SCHEMA_VERSION,
        "stage": stage,
        "function": asdict(fingerprint),
        "parts": [asdict(entry) for entry in entries],
    }
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    out.mkdir(parents=True, exist_ok=True)
    path = out / MANIFEST
    if not (path.is_file() and path.read_text() == text):
        with replacing(path) as temporary:
            temporary.write_text(text)


def rejects(file: Callable[[str], Path]) -> Iterator[Reject]:
    """The rows that a finished stage's function refused; `file` finds a file of it by name."""
    manifest = file(MANIFEST)
    entries = load_manifest(manifest)
    stage = json.loads(manifest.read_text())["stage"]
    for entry in entries:
        if entry.rejected:
            for row in read_footer(file(f"{entry.key}.parquet"))["rejects"]:
                del row["key"]
                yield Reject(stage=stage, source=entry.source, batch=entry.batch, **row)


def read_each(out: Path, columns: Sequence[str] | None = None) -> Iterator[tuple[Entry, pa.Table]]:
    """Every part of a finished stage with its rows, in the manifest's order."""
    for entry in read_manifest(out):
        yield entry, read_part(out / f"{entry.key}.parquet", columns)


def read(out: Path, columns: Sequence[str] | None = None, view: int | None = None) -> pa.Table:
    """All rows of a finished stage (of one view), in the manifest's order."""
    import pyarrow as pa

    tables = [
        table for entry, table in read_each(out, columns) if view is None or entry.view == view
    ]
    return pa.concat_tables(tables).replace_schema_metadata() if tables else pa.table({})
