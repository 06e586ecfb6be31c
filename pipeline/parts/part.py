"""One part: the rows it is planned from, the work that makes it, the file it becomes.

What stands here shapes the bytes of every part, so it is part of every key; planning, executors
and the taking over of rows are not (see plan.py and job.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.failure_log import Raised
from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.digest import digest_file, digest_json
from pipeline.core.files.documents import parsed, reading
from pipeline.core.machine.shortage import as_shortage
from pipeline.core.records import SCHEMA_VERSION, Reject

# pyarrow brings NumPy, which is loaded after the process knows its instruction set: see
# `pipeline.core.machine.environment`. Commands read manifests before.
if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.parts.fingerprint import Fingerprint

FOOTER = b"pipeline"
# Reasons that no row function gives: they say what became of a worker or of a call, which may go
# well at the next run. They stand until then and no longer (see plan.py).
PROVISIONAL = frozenset({"failed", "crashed", "timed_out"})
# What the manifest alone says, so that a batch or a feature set may be renamed for nothing.
PLACE = ("stage", "source", "batch")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of work.

    Parameters
    ----------
    digest:
        What the row is about, unique among the rows of its view.
    key:
        All that its result depends on beside the function: rows of one key have one result.
    size:
        Bytes that it will add to a part, roughly.
    spec:
        Says where to find it. It changes no result.
    """

    digest: str
    key: str
    source: str
    batch: str
    size: int
    view: int = 0
    spec: Any = None


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one batch and one view, sorted by digest, stored together in one file."""

    key: str
    source: str
    batch: str
    view: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A part as the manifest lists it: `bytes` and `md5` are those of its file.

    MD5 is what DVC calls the file in its cache, so a manifest says where to find its parts there.
    """

    key: str
    source: str
    batch: str
    view: int
    rows: int
    rejected: int
    bytes: int
    md5: str


@dataclass(frozen=True)
class Footer:
    """What a part's file says of itself; of each reject, its row's key and the reject's fields."""

    key: str
    rows: int
    rejects: list[dict[str, str]]
    identity: str


Outcome = Any | Rejected
Compute = Callable[[Sequence[Row], Sequence[Any]], "Sequence[Outcome]"]


class Work:
    """A function over rows, picklable, so that an executor can send it to its workers.

    A row goes through three steps, which may run in three places: `read` where its inputs lie,
    `prepare` on any processor, and the function that `open` returns where the encoder is. Each
    takes many rows and gives as many outcomes; a row that does not pass has a `Rejected` for its
    outcome. Who holds a GPU for others is brought prepared values and not their rows, so that
    function must read nothing of a row (see pipeline/execution/batching.py).
    """

    # Rows that go through the steps together, a bound on memory.
    rows_at_once = 64
    # Most rows that the function computes at once.
    batch_rows = 1

    stage: str
    fingerprint: Fingerprint
    # Rough CPU time of a row. It decides nothing but the executor.
    cost_ms: float
    # What is done to a row, for people: so many were `decoded`.
    verb: str

    def read(self, rows: Sequence[Row]) -> Sequence[Any]:
        """What the rows' specs point at."""
        return [None] * len(rows)

    def prepare(self, rows: Sequence[Row], read: Sequence[Any]) -> Sequence[Outcome]:
        """What comes before the encoder and needs none."""
        return read

    def open(self) -> Compute:
        """Load what the function needs, once a worker, and return the function."""
        raise NotImplementedError

    def batch(self, value: Any) -> tuple[Hashable, int]:
        """Which prepared rows are computed together with this one, and how many of them."""
        return None, self.batch_rows

    def table(self, rows: Sequence[Row], outcomes: Sequence[Any]) -> pa.Table:
        """Rows that passed, in the given order, as a table."""
        raise NotImplementedError

    def file_of(self, row: Row) -> str:
        """The file that a row is about, for people; empty where its digest is all that is known."""
        return ""

    def refuse(self, row: Row, why: Rejected) -> Reject:
        """The reject of a row that did not pass: of an asset, for most work."""
        place = (self.stage, row.source, row.batch)
        return Reject(*place, "asset", row.digest, row.digest, why.reason, why.message)

    def write(self, table: pa.Table, path: Path, metadata: dict[bytes, bytes]) -> None:
        """Lay the table out in a file."""
        write_table(table, path, metadata)


def row_key(*what: object) -> str:
    """The key of a row whose result depends on just these."""
    return digest_json(what)[:32]


def apply_bisecting(
    step: Compute, rows: Sequence[Row], values: Sequence[Outcome], stage: str
) -> list[Outcome]:
    """Apply a step to rows at once; where it raises, halve them until the row is found.

    So a bad row costs itself and not its neighbours. Rows that are rejected already stay so.

    Raises
    ------
    PipelineError
        The error is no fault of a row: a mistake of the user, or a Shortage.
    """
    outcomes = list(values)
    passed = [i for i, value in enumerate(values) if not isinstance(value, Rejected)]

    # A list of what is left rather than recursion: an exception raised while another is handled
    # would bring the whole batch's tracebacks along.
    left = [passed] if passed else []
    while left:
        places = left.pop()
        try:
            with as_shortage(stage):
                results = step([rows[i] for i in places], [values[i] for i in places])
        except PipelineError:
            raise
        except Exception as error:
            if len(places) > 1:
                middle = len(places) // 2
                left += [places[middle:], places[:middle]]
                continue
            results = [error if isinstance(error, Rejected) else _failed(stage, error)]
        for i, outcome in zip(places, results, strict=True):
            outcomes[i] = outcome
    return outcomes


def _failed(stage: str, error: Exception) -> Rejected:
    refusal = Rejected("failed", f"{stage.split('/')[0]} raised {type(error).__name__}")
    refusal.raised = Raised.of(error)
    return refusal


def finish(
    work: Work, part: Part, table: pa.Table, refused: Sequence[tuple[str, Reject]], out: Path
) -> Entry:
    """Put a part's file in place by rename.

    Parameters
    ----------
    table:
        The rows that passed, in the part's order.
    refused:
        Row key and reject of the others.
    """
    if table.num_rows + len(refused) != len(part.rows):
        raise AssertionError(
            f"{work.stage}: {len(part.rows)} rows in, {table.num_rows} out and "
            f"{len(refused)} rejected"
        )
    footer = {
        "schema": SCHEMA_VERSION,
        "key": part.key,
        "view": part.view,
        "rows": table.num_rows,
        "identity": work.fingerprint.digest,
        "function": work.fingerprint.summary,
        "rejects": [
            {"key": key, **{k: v for k, v in asdict(reject).items() if k not in PLACE}}
            for key, reject in sorted(refused, key=lambda pair: pair[1])
        ],
    }
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{part.key}.parquet"
    with atomic_write(path) as temporary:
        work.write(table, temporary, {FOOTER: json.dumps(footer, sort_keys=True).encode()})
    return entry_of(path, part, footer)


def entry_of(path: Path, part: Part, footer: dict[str, Any], md5: str | None = None) -> Entry:
    """What the manifest says of a part whose file is in place."""
    return Entry(
        key=part.key,
        source=part.source,
        batch=part.batch,
        view=part.view,
        rows=footer["rows"],
        rejected=len(footer["rejects"]),
        bytes=path.stat().st_size,
        md5=md5 or digest_file(path, "md5"),
    )


def read_footer(path: Path) -> dict[str, Any]:
    """The provenance that stands in a part's footer.

    Raises
    ------
    PipelineError
        The file is damaged, or no part.
    """
    import pyarrow.parquet as pq

    with reading(path):
        written = (pq.read_metadata(path).metadata or {})[FOOTER]
        parsed(written, Footer)
        footer: dict[str, Any] = json.loads(written)
    return footer


def read_part(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A part's rows, all columns or those named, in their order.

    Not as a data set, whose scanner waits without end where there is no memory for a thread.

    Raises
    ------
    PipelineError
        The file is damaged.
    MemoryError
        There is no memory, for the rows or for the thread that reads them.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with reading(path):
        try:
            with pq.ParquetFile(path) as file:
                table: pa.Table = file.read(columns, use_threads=False)
        except pa.ArrowException as error:
            if type(error) is pa.ArrowException and "launch worker thread" in str(error):
                raise MemoryError(str(error)) from error
            raise
        return table if columns is None else table.select(columns)


def write_table(table: pa.Table, path: Path, metadata: dict[bytes, bytes]) -> None:
    """Ordinary compressed Parquet, for all tables but the feature sets."""
    import pyarrow.parquet as pq

    pq.write_table(
        table.replace_schema_metadata(metadata), path, compression="zstd", compression_level=1
    )
