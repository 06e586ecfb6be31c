"""Which parts of an output directory are valid: whole, and with nothing left to try again."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest_cache import DigestCache
from pipeline.parts.manifest import read_manifest
from pipeline.parts.part import PROVISIONAL, Entry, Part, entry_of, read_footer


def valid_entry(out: Path, part: Part, listed: Entry | None, digests: DigestCache) -> Entry | None:
    """The entry of a part that is already there whole, or None."""
    path = out / f"{part.key}.parquet"
    if not is_whole(path, listed, digests):
        return None
    if listed is not None:
        return Entry(part.key, part.source, part.batch, part.view, listed.rows, listed.rejected,
                     listed.bytes, listed.md5)  # fmt: skip
    return entry_of(path, part, read_footer(path), digests.file(path))


def is_whole(path: Path, listed: Entry | None, digests: DigestCache) -> bool:
    """Whether a part may be used.

    A part that the manifest lists must have the digest listed there; one that a killed run left
    without a manifest was put in place by rename, so a footer that reads and names it is enough.
    """
    if not path.is_file():
        return False
    if listed is not None:
        return path.stat().st_size == listed.bytes and digests.file(path) == listed.md5
    try:
        return bool(read_footer(path)["key"] == path.stem)
    except (PipelineError, OSError):
        return False


def listed_entries(out: Path) -> list[Entry]:
    """What the manifest lists; nothing where it is missing or damaged, since parts say enough."""
    try:
        return read_manifest(out)
    except PipelineError:
        return []


def is_provisional(out: Path, entry: Entry) -> bool:
    """Whether a part that is there lacks a row for no fault of the row."""
    if not entry.rejected:
        return False
    rejects = read_footer(out / f"{entry.key}.parquet")["rejects"]
    return any(reject["reason"] in PROVISIONAL for reject in rejects)
