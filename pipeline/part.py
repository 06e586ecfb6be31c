"""One part: the rows it is planned from, the work that makes it, the file it becomes.

What stands here shapes the bytes of every part, so it is part of every key; planning, manifests
and executors are not (see parts.py).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.digest import digest_file
from pipeline.records import SCHEMA_VERSION, Reject

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.fingerprint import Fingerprint

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


Compute = Callable[[Part], "tuple[pa.Table, list[Reject]]"]


class Work(Protocol):
    """A function over parts, picklable, so that an executor can send it to its workers.

    `open` is called once a worker, loads what the work needs (an encoder, say) and returns the
    function. `write` lays a table out in a file. `cost_ms` is a rough figure for a row's CPU time
    that decides nothing but the executor.
    """

    @property
    def stage(self) -> str: ...

    @property
    def fingerprint(self) -> Fingerprint: ...

    @property
    def cost_ms(self) -> float: ...

    def open(self) -> Compute: ...

    def write(self, table: pa.Table, path: Path, metadata: dict[bytes, bytes]) -> None: ...


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
            f"{work.stage}: {len(part.rows)} rows in, {table.num_rows} out and "
            f"{len(rejected)} rejected"
        )
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{part.key}.parquet"
    with replacing(path) as temporary:
        work.write(table, temporary, {FOOTER: json.dumps(footer, sort_keys=True).encode()})
    return entry_of(path, footer)


def refuse(stage: str, row: Row, reason: str, message: str) -> Reject:
    """The reject of an asset."""
    return Reject(stage, row.source, row.batch, "asset", row.digest, row.digest, reason, message)


def entry_of(path: Path, footer: dict[str, Any]) -> Entry:
    """What the manifest says of a part whose file is in place."""
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


def read_footer(path: Path) -> dict[str, Any]:
    """The provenance that stands in a part's footer."""
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(path).metadata or {}
    footer: dict[str, Any] = json.loads(metadata[FOOTER])
    return footer


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
