"""Make one part: take over the rows that another part holds, compute the others.

Nothing here is part of a key: a row that is taken over has the bytes that computing it would give.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import Rejected
from pipeline.core.failure_log import Failure, by_kind
from pipeline.core.machine import gpu_time
from pipeline.core.machine.peak_memory import peak_mb
from pipeline.core.machine.shortage import as_shortage
from pipeline.core.records import Reject
from pipeline.parts.part import (
    PROVISIONAL,
    Compute,
    Entry,
    Outcome,
    Part,
    Row,
    Work,
    apply_bisecting,
    finish,
    read_footer,
    read_part,
)

CRASHED = Rejected("crashed", "the worker crashed on this row, alone and repeatedly")
TIMED_OUT = Rejected("timed_out", "the row, alone, took longer than execution.timeout, repeatedly")


@dataclass(frozen=True, slots=True)
class Job:
    """A part to make.

    Parameters
    ----------
    reused:
        Row digest → key of the part, under an equal fingerprint, that holds its result.
    poisoned:
        Row digest → why no worker survives it.
    """

    part: Part
    reused: Mapping[str, str] = field(default_factory=dict)
    poisoned: Mapping[str, Rejected] = field(default_factory=dict)

    @property
    def rows(self) -> list[Row]:
        """The rows that remain to be computed."""
        return [
            row
            for row in self.part.rows
            if row.digest not in self.reused and row.digest not in self.poisoned
        ]


@dataclass(frozen=True, slots=True)
class ResourceUsage:
    """What a worker used since it last reported: CPU and GPU seconds, and its peak memory in MB.

    `holder` is the process that held the GPU: the worker, or the one that computes for it.
    """

    worker: str
    cpu_seconds: float = 0.0
    gpu_seconds: float = 0.0
    peak_mb: int = 0
    holder: str = ""


def total(uses: Sequence[ResourceUsage]) -> ResourceUsage:
    """What several used together, reported as the last of them."""
    return ResourceUsage(
        uses[-1].worker,
        sum(use.cpu_seconds for use in uses),
        sum(use.gpu_seconds for use in uses),
        max(use.peak_mb for use in uses),
        next((use.holder for use in uses if use.holder), ""),
    )


@dataclass(frozen=True, slots=True)
class CompletedPart:
    """A finished part, what its worker used for it, and what its rows' functions raised."""

    entry: Entry
    use: ResourceUsage
    failures: tuple[Failure, ...] = ()


class Executor(Protocol):
    """Does jobs, somewhere, in any order: see pipeline/execution."""

    def run(self, work: Work, jobs: Sequence[Job], out: Path) -> Iterator[CompletedPart]: ...


def execute(work: Work, compute: Compute, job: Job, out: Path, meter: UsageMeter) -> CompletedPart:
    """Read, compute and put in place, all in this process."""
    with as_shortage(work.stage):
        return assemble(work, job, outcomes(work, compute, job.rows), out, meter.read)


def outcomes(work: Work, compute: Compute, rows: Sequence[Row]) -> list[Outcome]:
    """The outcome of each row, a few rows in memory at a time."""
    results: list[Outcome] = []
    for group in slices(rows, work.rows_at_once):
        results += apply_bisecting(compute, group, prepared(work, group), work.stage)
    return results


def prepared(work: Work, rows: Sequence[Row]) -> list[Outcome]:
    """What comes before the encoder."""
    return apply_bisecting(work.prepare, rows, work.read(rows), work.stage)


def slices(rows: Sequence[Row], size: int) -> Iterator[Sequence[Row]]:
    """Rows in groups of at most `size`."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def assemble(
    work: Work, job: Job, outcomes: Sequence[Outcome], out: Path, use: Callable[[], ResourceUsage]
) -> CompletedPart:
    """Put a part together from the outcomes of `job.rows` and from the rows taken over.

    `use` is asked once the part is in place.
    """
    passed = [
        pair for pair in zip(job.rows, outcomes, strict=True) if not isinstance(pair[1], Rejected)
    ]
    refused = [
        (row.key, work.refuse(row, outcome))
        for row, outcome in zip(job.rows, outcomes, strict=True)
        if isinstance(outcome, Rejected)
    ]
    refused += [
        (row.key, work.refuse(row, job.poisoned[row.digest]))
        for row in job.part.rows
        if row.digest in job.poisoned
    ]
    rows = [row for row, _ in passed]
    table = work.table(rows, [outcome for _, outcome in passed])
    if job.reused:
        table = _add_reused(work, job, table, rows, refused, out)
    entry = finish(work, job.part, table, refused, out)
    raised = [
        (row.digest, outcome.raised)
        for row, outcome in zip(job.rows, outcomes, strict=True)
        if isinstance(outcome, Rejected) and outcome.raised
    ]
    return CompletedPart(entry, use(), by_kind(raised))


def _add_reused(
    work: Work,
    job: Job,
    computed: pa.Table,
    rows: list[Row],
    refused: list[tuple[str, Reject]],
    out: Path,
) -> pa.Table:
    """The computed rows and those of other parts in the part's order; adds to `refused`."""
    tables, ordered = [computed], list(rows)
    sources: dict[str, list[Row]] = {}
    for row in job.part.rows:
        if row.digest in job.reused:
            sources.setdefault(job.reused[row.digest], []).append(row)
    for source, wanted in sources.items():
        path = out / f"{source}.parquet"
        table = read_part(path)
        positions = {key: i for i, key in enumerate(table["key"].to_pylist())}
        passed = [row for row in wanted if row.key in positions]
        reused = table.take(pa.array([positions[row.key] for row in passed], pa.int64()))
        columns = {name: reused[name] for name in computed.schema.names}
        # One result may belong to another row than the one that it was computed for.
        columns["digest"] = pa.array([row.digest for row in passed], pa.string())
        if "view" in columns:
            columns["view"] = pa.array([row.view for row in passed], pa.int32())
        tables.append(pa.Table.from_arrays(list(columns.values()), schema=computed.schema))
        ordered += passed
        reasons = {reject["key"]: reject for reject in read_footer(path)["rejects"]}
        for row in wanted:
            if row.key not in positions:
                rejected = Rejected(reasons[row.key]["reason"], reasons[row.key]["message"])
                refused.append((row.key, work.refuse(row, rejected)))
    order = {row.digest: i for i, row in enumerate(ordered)}
    # Typed, because Arrow cannot take by an empty list: all the rows may be refused ones.
    positions_in_part = pa.array(
        [order[row.digest] for row in job.part.rows if row.digest in order], pa.int64()
    )
    return pa.concat_tables(tables).take(positions_in_part).combine_chunks()


def row_keys(path: Path) -> list[str]:
    """Keys of the rows, passed and refused for good, whose results a part holds and tells."""
    if "key" not in pq.read_schema(path).names:
        return []
    passed = read_part(path, ["key"])["key"].to_pylist()
    refused = (r["key"] for r in read_footer(path)["rejects"] if r["reason"] not in PROVISIONAL)
    return [*passed, *refused]


def jobs(parts: Iterable[Part], holders: Iterable[Path], identity: str) -> list[Job]:
    """Jobs for parts that are missing.

    Parameters
    ----------
    holders:
        Files of whole parts, from which rows may be taken if they were made under `identity`, the
        digest of a fingerprint.
    """
    part_of = {
        key: path.stem
        for path in holders
        if read_footer(path).get("identity") == identity
        for key in row_keys(path)
    }
    return [
        Job(part, {row.digest: part_of[row.key] for row in part.rows if row.key in part_of})
        for part in parts
    ]


class UsageMeter:
    """What this process used since it was last asked, its finished children included.

    Parameters
    ----------
    own:
        False counts the children alone, where the process itself is counted elsewhere.
    """

    def __init__(self, own: bool = True) -> None:
        self._own = own
        self._before = (0.0 if own else self._cpu(), gpu_time.total())

    def read(self) -> ResourceUsage:
        """CPU seconds since the last reading; the first counts from the process's start."""
        now, me = (self._cpu(), gpu_time.total()), str(os.getpid())
        cpu, gpu = now[0] - self._before[0], now[1] - self._before[1]
        self._before = now
        return ResourceUsage(me, cpu, gpu, peak_mb(), me if gpu else "")

    def _cpu(self) -> float:
        times = os.times()
        children = times.children_user + times.children_system
        return children + (times.user + times.system if self._own else 0.0)
