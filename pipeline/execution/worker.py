"""What runs on Ray's workers: those that make parts, and holders of a GPU that compute for them.

This module never touches the driver's files but through `Work.read` and `assemble`, and neither
where the rows have travelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.core.machine.processor import processor
from pipeline.core.machine.shortage import Shortage, as_shortage
from pipeline.execution.batching import Batcher
from pipeline.execution.parent_watch import die_with_parent
from pipeline.parts.fingerprint import Fingerprint, fingerprint
from pipeline.parts.job import (
    CompletedPart,
    Job,
    ResourceUsage,
    UsageMeter,
    assemble,
    outcomes,
    prepared,
    slices,
    total,
)
from pipeline.parts.part import Compute, Outcome, Row, Work


@dataclass(frozen=True)
class Token:
    """A file that the driver put where parts are written: who reads it shares its file system."""

    path: Path
    text: str

    def is_seen(self) -> bool:
        try:
            return self.path.read_text() == self.text and os.access(self.path.parent, os.W_OK)
        except OSError:
            return False


@dataclass(frozen=True)
class Handshake:
    """Whether a worker sees the driver's files, and what it would compute differently."""

    shares_filesystem: bool
    differs: tuple[str, ...]


class Carried(Work):
    """Work whose rows' inputs have travelled with it."""

    def __init__(self, work: Work, rows: Sequence[Row], read: Sequence[Any]) -> None:
        self.stage, self.rows_at_once, self._work = work.stage, work.rows_at_once, work
        self._read = {row.digest: value for row, value in zip(rows, read, strict=True)}

    def read(self, rows: Sequence[Row]) -> list[Any]:
        return [self._read[row.digest] for row in rows]

    def prepare(self, rows: Sequence[Row], read: Sequence[Any]) -> Sequence[Outcome]:
        return self._work.prepare(rows, read)

    def open(self) -> Compute:
        return self._work.open()


class Preparing(Work):
    """The work as far as it needs no encoder: what a row can do to a worker that feeds a GPU."""

    def __init__(self, work: Work) -> None:
        self.stage, self.rows_at_once, self._work = work.stage, work.rows_at_once, work

    def read(self, rows: Sequence[Row]) -> Sequence[Any]:
        return self._work.read(rows)

    def prepare(self, rows: Sequence[Row], read: Sequence[Any]) -> Sequence[Outcome]:
        return self._work.prepare(rows, read)

    def open(self) -> Compute:
        return lambda rows, values: values


class HolderFailure(Shortage):
    """The process that holds the GPU fell short or died: it and all that it serves are replaced."""

    def __init__(self, message: str, attempts: int) -> None:
        super().__init__(message, attempts)
        self.attempts = attempts

    def __str__(self) -> str:
        return str(self.args[0])


class Holder:
    """Holds the encoder on its share of a GPU, and computes for the workers that bring it rows."""

    def __init__(self, work: Work) -> None:
        # Of a dead node's workers, some would work on for a minute.
        die_with_parent()
        self._work, self._meter = work, UsageMeter()
        self._batcher = Batcher(work.stage, work.batch, work.open)

    async def greet(self, token: Token | None) -> Handshake:
        return _greeting(self._work, token)

    async def compute(
        self, rows: Sequence[Row], values: Sequence[Outcome] | np.ndarray
    ) -> tuple[list[Outcome] | _Vectors, ResourceUsage]:
        """Outcomes of prepared rows, once batches that they are in are full."""
        outcomes = await asyncio.wrap_future(self._batcher.add(rows, list(values)))
        return _Vectors.of(outcomes) or outcomes, self._use()

    def _use(self) -> ResourceUsage:
        return replace(self._meter.read(), holder=_name())


@dataclass(frozen=True)
class _Vectors:
    """Outcomes that are vectors with their lengths, of one shape: two arrays travel, not many."""

    values: np.ndarray
    lengths: list[int]

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> _Vectors | None:
        """None if one of them is anything else."""
        pairs = [one for one in outcomes if isinstance(one, tuple) and len(one) == 2]
        if len(pairs) < len(outcomes):
            return None
        values = _packed([value for value, _ in pairs])
        return cls(values, [n for _, n in pairs]) if isinstance(values, np.ndarray) else None

    def outcomes(self) -> list[Outcome]:
        return list(zip(self.values, self.lengths, strict=True))


class Worker:
    """Makes parts, or computes rows that have travelled: by itself, or with a holder of a GPU.

    With a holder several parts may be under way, so that while one waits for the GPU the next is
    prepared. One is prepared at a time, whole: so what it reads is read once.
    """

    def __init__(self, work: Work) -> None:
        die_with_parent()
        self._work, self._meter = work, UsageMeter()
        self._compute: Compute | None = None
        self._turn, self._ahead = threading.Lock(), _Ahead(work)

    def greet(self, token: Token | None, computes: bool) -> Handshake:
        return _greeting(self._work, token, computes)

    def make(self, job: Job, out: Path, holder: Any = None) -> CompletedPart:
        """Make a part, all of it here: the worker sees the driver's files."""
        with as_shortage(self._work.stage):
            found, uses = self._outcomes(self._work, job.rows, holder)
            return assemble(self._work, job, found, out, lambda: self._use(uses))

    def outcomes(
        self, rows: Sequence[Row], read: Sequence[Any], holder: Any = None
    ) -> tuple[list[Outcome], ResourceUsage]:
        """Outcomes of one slice of rows, whose inputs have travelled."""
        with as_shortage(self._work.stage):
            found, uses = self._outcomes(Carried(self._work, rows, read), rows, holder)
        return found, self._use(uses)

    def _outcomes(
        self, work: Work, rows: Sequence[Row], holder: Any
    ) -> tuple[list[Outcome], list[ResourceUsage]]:
        if holder is None:
            self._compute = self._compute or work.open()
            return outcomes(work, self._compute, rows), []
        with self._turn:
            coming = [
                self._ahead.send(holder, slice_rows, prepared(work, slice_rows))
                for slice_rows in slices(rows, work.rows_at_once)
            ]
        answers = [_answer(work.stage, one) for one in coming]
        return [outcome for found, _ in answers for outcome in found], [use for _, use in answers]

    def _use(self, others: Sequence[ResourceUsage]) -> ResourceUsage:
        """What this worker used since it last told, and what others did for it."""
        return replace(total([*others, self._meter.read()]), worker=_name())


class _Ahead:
    """Keeps what is on its way to the GPU, and waits for it, within two batches."""

    # Rows of which a worker may be ahead of the GPU however small its batches are.
    ROWS = 512

    def __init__(self, work: Work) -> None:
        self._rows = max(self.ROWS, 2 * work.batch_rows)
        self._sent: dict[Any, int] = {}

    def send(self, holder: Any, rows: Sequence[Row], values: Sequence[Outcome]) -> Any:
        import ray

        while self._sent and sum(self._sent.values()) + len(rows) > self._rows:
            done, _ = ray.wait(list(self._sent), num_returns=1, fetch_local=False)
            for ref in done:
                del self._sent[ref]
        ref = holder.compute.remote(rows, _packed(values))
        self._sent[ref] = len(rows)
        return ref


def _packed(values: Sequence[Outcome]) -> Sequence[Outcome] | np.ndarray:
    """Arrays of one shape as one, which travels without being copied."""
    arrays = [value for value in values if isinstance(value, np.ndarray)]
    if len(arrays) == len(values) and len({(one.shape, one.dtype) for one in arrays}) == 1:
        return np.stack(arrays)
    return values


def _answer(stage: str, ref: Any) -> tuple[list[Outcome], ResourceUsage]:
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        told, use = ray.get(ref)
    except RayTaskError as error:
        if isinstance(error.cause, Shortage):
            raise HolderFailure(str(error.cause), error.cause.attempts) from None
        if isinstance(error.cause, PipelineError):
            raise error.cause from None
        raise
    except RayError as error:
        raise HolderFailure(
            f"{stage}: the process that held the GPU died ({type(error).__name__}). Finished parts "
            f"stand; look for memory pressure, and run again.",
            Shortage.attempts,
        ) from None
    return told.outcomes() if isinstance(told, _Vectors) else told, use


def _name() -> str:
    import ray

    return f"{ray.get_runtime_context().get_node_id()[:8]}/{os.getpid()}"


def _greeting(work: Work, token: Token | None, computes: bool = True) -> Handshake:
    """Without a token the cluster is the driver's own, and so are its files and its code."""
    if token is None:
        return Handshake(True, ())
    return Handshake(token.is_seen(), differences(work.fingerprint, computes))


def differences(asked: Fingerprint, computes: bool = True) -> tuple[str, ...]:
    """Modules and libraries that are not those the fingerprint names, as installed here.

    Parameters
    ----------
    computes:
        Whether the function's encoder runs here. A worker that prepares rows for a GPU needs
        neither the GPU nor that build of torch, and loads nothing to tell.
    """
    try:
        here = fingerprint(asked.function, asked.code, asked.parameters, processor=asked.processor)
    except ModuleNotFoundError as error:
        return (str(error),)
    pairs = [
        (asked.code, here.code),
        (asked.libraries, here.libraries),
        ({"Python": asked.python}, {"Python": here.python}),
    ]
    differing = [
        name
        for mine, theirs in pairs
        for name in sorted({*mine, *theirs})
        if mine.get(name) != theirs.get(name) and (computes or name != "torch")
    ]
    if not _is_processor(asked.processor, computes):
        differing.append("processor")
    return tuple(differing)


def _is_processor(asked: str, computes: bool) -> bool:
    """Whether this worker is named as `asked` is: by itself, or with where torch computes."""
    here = processor()
    if asked == here or (not computes and asked.startswith(f"{here} ")):
        return True
    for device in ("cpu", "cuda"):
        with contextlib.suppress(PipelineError):  # there is no such device here
            if asked == processor(device):
                return True
    return False
