"""Plan parts, compute the missing ones, write the manifest, remove the unplanned.

A part is one immutable Parquet file named by its key, the digest of (fingerprint, ordered row
keys); so the output directory is the cache. Resuming a killed run, adding rows and collecting
garbage are this one mechanism: whatever stands under a planned key is used, whatever is missing is
computed, and what no plan names is removed once the new manifest is in place. Readers follow the
manifest, so a run that fails leaves the previous outputs usable.
"""

from __future__ import annotations

import fcntl
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Protocol

from pipeline.digest import digest_file, digest_json
from pipeline.errors import PipelineError
from pipeline.fingerprint import Fingerprint
from pipeline.manifest import MANIFEST, read_manifest, rejects, write_manifest
from pipeline.part import Entry, Part, Row, Work, entry_of, read_footer
from pipeline.progress import track


@dataclass(frozen=True)
class Summary:
    """What a stage did. Only `rows` and `rejected` say anything about the data itself."""

    planned: int = 0
    reused: int = 0
    computed: int = 0
    removed: int = 0
    rows: int = 0
    rejected: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


class Executor(Protocol):
    """Makes parts, somewhere, in any order: see pipeline/execution."""

    def run(self, work: Work, parts: Sequence[Part], out: Path) -> Iterator[Entry]: ...


def plan(
    fingerprint: Fingerprint, rows: Iterable[Row], mean_rows: int, max_bytes: int
) -> list[Part]:
    """Cut rows into parts, where the rows themselves say so.

    A part ends after a row whose digest is divisible by `mean_rows`, or where the next row would
    take it over `max_bytes`; either way a few new rows change a few parts and leave the others,
    and their keys, as they were.
    """
    identity = fingerprint.digest
    ordered = sorted(rows, key=lambda row: (row.source, row.batch, row.view, row.digest))
    parts = []
    for (source, batch, view), group in groupby(
        ordered, key=lambda row: (row.source, row.batch, row.view)
    ):
        for chunk in _cut(group, mean_rows, max_bytes):
            key = digest_json([identity, source, batch, view, [row.key for row in chunk]])[:32]
            parts.append(Part(key, source, batch, view, tuple(chunk)))
    return parts


def _cut(rows: Iterable[Row], mean_rows: int, max_bytes: int) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    size = 0
    for row in rows:
        if chunk and size + row.size > max_bytes:
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += row.size
        if int(row.digest[:16], 16) % mean_rows == 0:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def run(
    out: Path,
    work: Work,
    parts: Sequence[Part],
    executor: Callable[[float], Executor],
    reject_limit: float,
) -> Summary:
    """Bring `out` to exactly the planned parts.

    Parameters
    ----------
    out:
        The stage's output directory, held under an exclusive lock meanwhile.
    executor:
        Gives the executor for work of about so many CPU-seconds; not asked where nothing is
        missing.
    reject_limit:
        Largest share of rows that may be rejected, 0 to 1.

    Raises
    ------
    PipelineError
        Another process writes here, or more than `reject_limit` of the rows were rejected; the
        previous manifest and its parts then stand as before.
    """
    with locked(out):
        known = {entry.key: entry for entry in _previous(out)}
        entries = {}
        for part in parts:
            entry = _standing(out, part, known.get(part.key))
            if entry is not None:
                entries[part.key] = entry
        missing = [part for part in parts if part.key not in entries]
        if missing:
            cost_s = sum(len(part.rows) for part in missing) * work.cost_ms / 1000
            made = executor(cost_s).run(work, missing, out)
            for entry in track(work.stage, made, {part.key: len(part.rows) for part in missing}):
                entries[entry.key] = entry
        ordered = [entries[part.key] for part in parts]
        reasons = Counter(
            reject.reason for entry in ordered if entry.rejected for reject in rejects(out, entry)
        )
        summary = Summary(
            planned=len(parts),
            reused=len(parts) - len(missing),
            computed=len(missing),
            rows=sum(entry.rows for entry in ordered),
            rejected=sum(entry.rejected for entry in ordered),
            reasons=dict(sorted(reasons.items())),
        )
        check_limit(work.stage, summary, reject_limit)
        write_manifest(out, ordered, work.fingerprint)
        removed = _remove_unplanned(out, {f"{entry.key}.parquet" for entry in ordered})
        return Summary(**{**asdict(summary), "removed": removed})


def check_limit(stage: str, summary: Summary, limit: float) -> None:
    """Fail a stage whose share of rejected rows passes its limit, naming the commonest reasons."""
    total = summary.rows + summary.rejected
    if total and summary.rejected / total > limit:
        common = ", ".join(f"{n} {reason}" for reason, n in Counter(summary.reasons).most_common(3))
        raise PipelineError(
            f"{stage}: {summary.rejected} of {total} rows were rejected "
            f"({summary.rejected / total:.1%}, the limit is {limit:.1%}): {common}.\n"
            f"The previous outputs stand. Mend the data, or raise the stage's reject_limit in "
            f"params.yaml."
        )


def _standing(out: Path, part: Part, known: Entry | None) -> Entry | None:
    """The entry of a part that is already there whole, or None.

    A part that the manifest lists must have the digest listed there; one that a killed run left
    without a manifest was put in place by rename, so a footer that reads and names it is enough.
    """
    path = out / f"{part.key}.parquet"
    if not path.is_file():
        return None
    if known is not None:
        whole = path.stat().st_size == known.bytes and digest_file(path) == known.digest
        return known if whole else None
    try:
        footer = read_footer(path)
    except (OSError, ValueError, KeyError):
        return None
    return entry_of(path, footer) if footer.get("key") == part.key else None


def _previous(out: Path) -> list[Entry]:
    """What the manifest lists; nothing where it is missing or damaged, since parts say enough."""
    try:
        return read_manifest(out)
    except PipelineError:
        return []


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold a directory for one writer. The lock dies with the process, whatever kills it."""
    folder = Path(".pipeline", "locks")
    folder.mkdir(parents=True, exist_ok=True)
    name = out.as_posix().strip("/").replace("/", "-")
    with (folder / f"{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PipelineError(
                f"another process is writing {out}; wait for it, or stop it"
            ) from None
        yield


def _remove_unplanned(out: Path, planned: set[str]) -> int:
    unplanned = [path for path in out.iterdir() if path.name not in planned | {MANIFEST}]
    for path in unplanned:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    return len(unplanned)
