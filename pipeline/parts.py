"""Plan parts, compute the missing ones, write the manifest, remove the unplanned.

A part is one immutable Parquet file named by its key, the digest of (fingerprint, ordered row
keys); so the output directory is the cache. Resuming a killed run, adding rows and collecting
garbage are this one mechanism: whatever stands under a planned key is used, whatever is missing is
computed, and what no plan names is removed once the new manifest is in place. Readers follow the
manifest, so a run that fails leaves the previous outputs usable.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.errors import PipelineError
from pipeline.fingerprint import Fingerprint, digest_file, digest_json
from pipeline.records import SCHEMA_VERSION, Reject

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST = "manifest.json"
FOOTER = b"pipeline"


@dataclass(frozen=True)
class Row:
    """One row of work. `key` is all that its result depends on; `spec` says where to find it."""

    digest: str
    key: str
    source: str
    batch: str
    size: int
    view: int = 0
    spec: Any = None


@dataclass(frozen=True)
class Part:
    """Rows of one batch and one view, sorted by digest, computed together into one file."""

    key: str
    source: str
    batch: str
    view: int
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Entry:
    """A part as the manifest lists it: `bytes` and `digest` are those of its file."""

    key: str
    source: str
    batch: str
    view: int
    rows: int
    rejected: int
    bytes: int
    digest: str


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


Compute = Callable[[Part], "tuple[pa.Table, list[Reject]]"]
Write = Callable[["pa.Table", Path, dict[bytes, bytes]], None]


class Work(Protocol):
    """A function over parts, picklable, so that an executor can send it to its workers.

    `open` is called once a worker, loads what the work needs (an encoder, say) and returns the
    function. `write` lays a table out in a file. `cost_ms` is a rough figure for a row's CPU time
    that decides nothing but the executor.
    """

    stage: str
    fingerprint: Fingerprint
    cost_ms: float

    def open(self) -> Compute: ...

    def write(self, table: pa.Table, path: Path, metadata: dict[bytes, bytes]) -> None: ...


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
    executor: Executor,
    reject_limit: float,
) -> Summary:
    """Bring `out` to exactly the planned parts.

    Parameters
    ----------
    out:
        The stage's output directory, held under an exclusive lock meanwhile.
    reject_limit:
        Largest share of rows that may be rejected, 0 to 1.

    Raises
    ------
    PipelineError
        Another process writes here, or more than `reject_limit` of the rows were rejected; the
        previous manifest and its parts then stand as before.
    """
    with locked(out):
        known = {entry.key: entry for entry in read_manifest(out)} if exists(out) else {}
        entries = {}
        for part in parts:
            entry = _standing(out, part, known.get(part.key))
            if entry is not None:
                entries[part.key] = entry
        missing = [part for part in parts if part.key not in entries]
        for entry in executor.run(work, missing, out) if missing else ():
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


def make(work: Work, compute: Compute, part: Part, out: Path) -> Entry:
    """Compute one part and put its file in place by rename; called by executors in a worker."""
    table, rejected = compute(part)
    footer = {
        "schema": SCHEMA_VERSION,
        "stage": work.stage,
        "key": part.key,
        "source": part.source,
        "batch": part.batch,
        "view": part.view,
        "rows": table.num_rows,
        "function": asdict(work.fingerprint),
        "rejects": [asdict(reject) for reject in sorted(rejected)],
    }
    if table.num_rows + len(rejected) != len(part.rows):
        raise AssertionError(
            f"{work.stage}: {len(part.rows)} rows in, {table.num_rows} out, {len(rejected)} rejected"
        )
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{part.key}.parquet"
    with replacing(path) as temporary:
        work.write(table, temporary, {FOOTER: json.dumps(footer, sort_keys=True).encode()})
    return _entry(path, footer)


def _entry(path: Path, footer: dict[str, Any]) -> Entry:
    return Entry(
        key=footer["key"],
        source=footer["source"],
        batch=footer["batch"],
        view=footer["view"],
        rows=footer["rows"],
        rejected=len(footer["rejects"]),
        bytes=path.stat().st_size,
        digest=digest_file(path),
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
    return _entry(path, footer) if footer.get("key") == part.key else None


def exists(out: Path) -> bool:
    """Whether a stage has finished here before."""
    return (out / MANIFEST).is_file()


def read_manifest(out: Path) -> list[Entry]:
    """The parts of a finished stage, in the order of their rows.

    Raises
    ------
    PipelineError
        There is no manifest, or it is not one.
    """
    try:
        manifest = json.loads((out / MANIFEST).read_text())
        return [Entry(**entry) for entry in manifest["parts"]]
    except FileNotFoundError:
        raise PipelineError(f"{out} has no {MANIFEST}: run `dvc repro` to make it") from None
    except (ValueError, TypeError, KeyError):
        raise PipelineError(f"{out / MANIFEST} is damaged: delete {out} and `dvc repro`") from None


def manifest_digest(out: Path) -> str:
    """Digest of what a stage holds: of its parts' contents, in order."""
    return digest_json([[entry.key, entry.digest] for entry in read_manifest(out)])


def write_manifest(out: Path, entries: Sequence[Entry], fingerprint: Fingerprint) -> None:
    manifest = {
        "schema": SCHEMA_VERSION,
        "function": asdict(fingerprint),
        "parts": [asdict(entry) for entry in entries],
    }
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    out.mkdir(parents=True, exist_ok=True)
    path = out / MANIFEST
    if not (path.is_file() and path.read_text() == text):
        with replacing(path) as temporary:
            temporary.write_text(text)


def read_footer(path: Path) -> dict[str, Any]:
    """The provenance that stands in a part's footer."""
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(path).metadata or {}
    footer: dict[str, Any] = json.loads(metadata[FOOTER])
    return footer


def rejects(out: Path, entry: Entry) -> list[Reject]:
    """The rows that one part's function refused."""
    return [Reject(**row) for row in read_footer(out / f"{entry.key}.parquet")["rejects"]]


def read(out: Path, columns: Sequence[str] | None = None, view: int | None = None) -> pa.Table:
    """All rows of a finished stage (of one view), in the manifest's order."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    entries = [entry for entry in read_manifest(out) if view is None or entry.view == view]
    tables = [
        pq.read_table(out / f"{entry.key}.parquet", columns=columns, partitioning=None)
        for entry in entries
    ]
    return pa.concat_tables(tables).replace_schema_metadata() if tables else pa.table({})


def write_table(table: pa.Table, path: Path, metadata: dict[bytes, bytes]) -> None:
    """Ordinary compressed Parquet, for all tables but the feature sets."""
    import pyarrow.parquet as pq

    pq.write_table(
        table.replace_schema_metadata(metadata), path, compression="zstd", compression_level=1
    )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, moved onto it when the block ends well, else removed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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
        path.unlink()
    return len(unplanned)
