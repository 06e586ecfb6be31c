"""Plan parts, compute the missing ones, write the manifest, remove the unplanned.

A part is one immutable Parquet file named by its key, the digest of (fingerprint, view, ordered
rows); so the output directory is the cache. Resuming a killed run, adding rows and collecting
garbage are this one mechanism: whatever stands under a planned key is used; of what is missing,
DVC's cache gives back what was made before, rows are taken over from parts that the plan lets go,
and the rest is computed; what no plan names is removed once the new manifest is in place. Readers
follow the manifest, so a run that fails leaves the previous outputs usable.

A part with a refusal that was the machine's and not the row's (`PROVISIONAL`) stands for one run:
the next makes it anew, taking over its other rows, and DVC's cache is never asked for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path

from pipeline.core.files.atomic import remove
from pipeline.core.files.digest import digest_json
from pipeline.core.files.digest_cache import DigestCache, digests_of, open_digest_cache
from pipeline.core.files.lock import locked
from pipeline.core.records import Reject
from pipeline.parts.dvc_restore import Cache
from pipeline.parts.fingerprint import Fingerprint
from pipeline.parts.job import (
    Executor,
    Job,
    ResourceUsage,
    UsageMeter,
    execute,
    jobs,
)
from pipeline.parts.manifest import MANIFEST, rejects_of, write_manifest
from pipeline.parts.part import Entry, Part, Row, Work, entry_of, read_footer
from pipeline.parts.progress import track
from pipeline.parts.reject_limit import check_limit
from pipeline.parts.summary import Summary
from pipeline.parts.valid_parts import is_provisional, is_whole, listed_entries, valid_entry


@dataclass(frozen=True)
class PartsPlan:
    """Everything that a stage of parts is going to do.

    Parameters
    ----------
    out:
        The stage's output directory.
    rows:
        Reads the rows; called only if something changed.
    reads:
        The finished stages that the rows are read from, and a digest of whatever else they are
        made from.
    cut:
        How rows are cut into parts: mean number of rows, and most bytes.
    executor:
        Gives the executor for work of about so many CPU-seconds; not asked where nothing is to be
        computed.
    reject_limit:
        Largest share of rows that may be rejected, 0 to 1.
    """

    out: Path
    work: Work
    rows: Callable[[], Iterable[Row]]
    reads: Callable[[], Sequence[str]]
    cut: tuple[int, int]
    executor: Callable[[float], Executor]
    reject_limit: float

    @property
    def outs(self) -> list[Path]:
        return [self.out]

    @cached_property
    def key(self) -> str:
        """Digest of all that the stage's output is made from."""
        limits = [*self.cut, self.reject_limit]
        return digest_json([self.work.fingerprint.digest, self.work.stage, limits, self.reads()])

    @cached_property
    def parts(self) -> list[Part]:
        return plan_parts(self.work.fingerprint, self.rows(), *self.cut)

    def run(self) -> Summary:
        """Bring the output directory to exactly the planned parts, held under an exclusive lock.

        Raises
        ------
        PipelineError
            Another process writes here, or more than `reject_limit` of the rows were rejected; the
            previous manifest and its parts then stand as before.
        """
        out, work, cache = self.out, self.work, Cache()
        with locked(out), open_digest_cache(digests_of(out), "md5") as digests:
            state = inspect(self, cache, digests)
            restored = _restore(self, state, cache, digests)
            lost = [
                Job(part)
                for part in self.parts
                if part.key in state.restorable and part.key not in restored
            ]
            jobs = [*state.jobs, *lost]
            completed, usage = _complete(self, jobs, digests)
            by_key = state.valid | restored | completed
            entries = [by_key[part.key] for part in self.parts]
            refused = list(rejects_of(out.joinpath, work.stage, entries))
            summary = Summary(
                planned=len(self.parts),
                reused=len(state.valid),
                restored=len(restored),
                computed=len(jobs),
                removed=len(state.removed),
                rows=sum(entry.rows for entry in entries),
                rejected=sum(entry.rejected for entry in entries),
                reasons=dict(sorted(Counter(reject.reason for reject in refused).items())),
                computed_rows=sum(len(job.rows) for job in jobs),
                reused_rows=sum(len(job.reused) for job in jobs),
                verb=work.verb,
                used=tuple(usage),
            )
            check_limit(work.stage, summary, self.reject_limit, refused, files=self._files(refused))
            _remove_unreadable(out / MANIFEST)
            write_manifest(out, work.stage, entries, work.fingerprint)
            # Looked for again: DVC takes whatever the directory now holds for the stage's output.
            for path in _unplanned(self):
                remove(path)
            final = [entry for entry in entries if not is_provisional(out, entry)]
            cache.remember({entry.key: entry.md5 for entry in final})
        return summary

    def _files(self, refused: Sequence[Reject]) -> dict[str, str]:
        """Digest → the file that it is of, of what was refused."""
        digests = {reject.digest for reject in refused}
        rows = (row for part in self.parts for row in part.rows if row.digest in digests)
        return {row.digest: self.work.file_of(row) for row in rows} if digests else {}


@dataclass(frozen=True)
class State:
    """Which planned parts stand, which DVC's cache would give back, and what the rest needs."""

    valid: dict[str, Entry]
    restorable: dict[str, str]
    jobs: list[Job]
    removed: list[Path]


def plan_parts(
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
            key = digest_json([identity, view, [[row.digest, row.key] for row in chunk]])[:32]
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


def inspect(plan: PartsPlan, cache: Cache, digests: DigestCache) -> State:
    """Compare a plan with what is there; changes nothing."""
    out = plan.out
    known = {entry.key: entry for entry in listed_entries(out)}
    entries = {}
    for part in plan.parts:
        entry = valid_entry(out, part, known.get(part.key), digests)
        if entry is not None and not is_provisional(out, entry):
            entries[part.key] = entry
    missing = [part for part in plan.parts if part.key not in entries]
    md5s = cache.md5s(part.key for part in missing)
    restorable = {key: md5 for key, md5 in md5s.items() if cache.holds(md5)}
    removed = _unplanned(plan)
    needed = [part for part in missing if part.key not in restorable]
    holders = [
        path
        for path in [*removed, *(out / f"{part.key}.parquet" for part in needed)]
        if needed and path.suffix == ".parquet" and is_whole(path, known.get(path.stem), digests)
    ]
    return State(
        valid=entries,
        restorable=restorable,
        jobs=jobs(needed, holders, plan.work.fingerprint.digest),
        removed=removed,
    )


def _restore(plan: PartsPlan, state: State, cache: Cache, digests: DigestCache) -> dict[str, Entry]:
    """Key → entry of the parts that DVC's cache gave back; one may have gone from it meanwhile."""
    entries = {}
    for part in plan.parts:
        path, md5 = plan.out / f"{part.key}.parquet", state.restorable.get(part.key)
        if md5 and cache.restore(md5, path):
            entries[part.key] = entry_of(path, part, read_footer(path), md5)
            digests.add(path, md5)
    return entries


def _complete(
    plan: PartsPlan, jobs: Sequence[Job], digests: DigestCache
) -> tuple[dict[str, Entry], list[ResourceUsage]]:
    """Do the jobs: key → entry, and what the workers used.

    Where all rows are taken over it is done here; the others are for an executor.
    """
    work, out = plan.work, plan.out
    entries: dict[str, Entry] = {}
    usage: list[ResourceUsage] = []

    def keep(entry: Entry) -> None:
        entries[entry.key] = entry
        digests.add(out / f"{entry.key}.parquet", entry.md5)

    for job in jobs:
        if not job.rows:
            keep(execute(work, _compute_none, job, out, UsageMeter()).entry)
    counts = {job.part.key: len(job.rows) for job in jobs if job.rows}
    if counts:
        executor = plan.executor(sum(counts.values()) * work.cost_ms / 1000)
        completed = executor.run(work, [job for job in jobs if job.rows], out)
        for part in track(work.stage, completed, counts):
            keep(part.entry)
            usage.append(part.use)
    return entries, usage


def _unplanned(plan: PartsPlan) -> list[Path]:
    """What lies in the output directory beside the planned parts and the manifest."""
    if not plan.out.is_dir():
        return []
    planned = {MANIFEST, *(f"{part.key}.parquet" for part in plan.parts)}
    return sorted(path for path in plan.out.iterdir() if path.name not in planned)


def _remove_unreadable(manifest: Path) -> None:
    """Remove a manifest that is no text, and so can't be compared with the one to be written."""
    try:
        manifest.read_bytes().decode()
    except FileNotFoundError:
        return
    except UnicodeDecodeError:
        manifest.unlink()


def _compute_none(rows: Sequence[Row], values: Sequence[object]) -> list[object]:
    raise AssertionError("a job whose rows are all taken over computes none")
