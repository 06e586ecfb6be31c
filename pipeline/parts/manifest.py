"""What a finished stage holds: the manifest, and reading what it lists.

Readers follow the manifest alone, so parts that a failed run left beside it are never seen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import PipelineError
from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.digest import digest_json
from pipeline.core.files.documents import document, reading
from pipeline.core.records import SCHEMA_VERSION, Reject
from pipeline.parts.part import Entry, read_footer, read_part

# pyarrow brings NumPy, which is loaded after the process knows its instruction set: see
# `pipeline.core.machine.environment`. Commands read manifests before.
if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.parts.fingerprint import Fingerprint

# Readers of a folder of Parquet files, such as pyarrow.dataset and Spark, pass over a name that
# begins with an underscore.
MANIFEST = "_manifest.json"


@dataclass(frozen=True)
class Manifest:
    """What the manifest of a stage of parts says."""

    parts: list[Entry]
    schema: int = 0
    stage: str = ""
    function: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Made:
    """What every manifest says, of an artifact's too: the fingerprint of what made it."""

    function: dict[str, Any]


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
    return document(path, Manifest).parts


def manifest_digest(out: Path, without: Collection[str] = ()) -> str:
    """Digest of all that readers learn from a stage: its parts, in order, and whose they are.

    without: sources whose parts the reader passes over.
    """
    entries = [entry for entry in read_manifest(out) if entry.source not in without]
    return digest_json([[entry.key, entry.source, entry.batch, entry.md5] for entry in entries])


def read_function(out: Path) -> dict[str, Any]:
    """The fingerprint under which a stage's parts were made; empty where there is none."""
    try:
        return document(out / MANIFEST, _Made).function
    except (PipelineError, OSError):
        return {}


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
        with atomic_write(path) as temporary:
            temporary.write_text(text)


def rejects(file: Callable[[str], Path]) -> Iterator[Reject]:
    """The rows that a finished stage's function refused; `file` finds a file of it by name."""
    manifest = document(file(MANIFEST), Manifest)
    return rejects_of(file, manifest.stage, manifest.parts)


def rejects_of(
    file: Callable[[str], Path], stage: str, entries: Iterable[Entry]
) -> Iterator[Reject]:
    """The rows that stand refused in the footers of some parts."""
    for entry in entries:
        if entry.rejected:
            path = file(f"{entry.key}.parquet")
            place: dict[str, Any] = {"source": entry.source, "batch": entry.batch}
            for row in read_footer(path)["rejects"]:
                with reading(path):
                    del row["key"]
                    reject = Reject(stage, **(place | row))
                yield reject


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
