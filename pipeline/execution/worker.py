"""What runs on Ray's workers: those that make parts, and holders of a GPU that compute for them.

This module never touches the driver's files but through `Work.read` and `assemble`, and neither
where the rows have travelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.adjacent import runs
from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.machine.processor import processor
from pipeline.core.machine.shortage import Shortage, as_shortage
from pipeline.execution.batching import Batcher, Kind
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

# A holder's thread may keep the interpreter from others so long; Python's own choice is ten times.
SWITCH_SECONDS = 0.0005


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
        # Who launches kernels gives the interpreter away at each, and has to have it back soon.
        sys.setswitchinterval(SWITCH_SECONDS)
        self._work, self._meter = work, UsageMeter()
        self._batcher = Batcher(work.stage, work.open)

    async def greet(self, token: Token | None) -> Handshake:
        return _greeting(self._work, token)

    async def compute(
        self, groups: Sequence[tuple[Kind, _Packed]]
    ) -> tuple[list[_Packed], ResourceUsage]:
        """Outcomes of each group of prepared values, once batches that they are in are full."""
        futures = [self._batcher.add(kind, _unpacked(values)) for kind, values in groups]
        outcomes = await asyncio.gather(*map(asyncio.wrap_future, futures))
        return [_packed(group) for group in outcomes], self._use()

    def _use(self) -> ResourceUsage:
        return replace(self._meter.read(), holder=_name())


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
                self._ahead.send(holder, prepared(work, slice_rows))
                for slice_rows in slices(rows, work.rows_at_once)
            ]
        uses = [sent.wait(work.stage) for sent in coming]
        return [outcome for sent in coming for outcome in sent.outcomes], uses

    def _use(self, others: Sequence[ResourceUsage]) -> ResourceUsage:
        """What this worker used since it last told, and what others did for it."""
        return replace(total([*others, self._meter.read()]), worker=_name())


class _Ahead:
    """Keeps what is on its way to the GPU, and waits for it, within two batches."""

    # Rows of which a worker may be ahead of the GPU however small its batches are.
    ROWS = 512

    def __init__(self, work: Work) -> None:
        self._kind, self._rows = work.batch, max(self.ROWS, 2 * work.batch_rows)
        self._sent: dict[Any, int] = {}

    def send(self, holder: Any, values: Sequence[Outcome]) -> _Sent:
        """Bring prepared values to the holder, those that share batches together."""
        import ray

        while self._sent and sum(self._sent.values()) + len(values) > self._rows:
            done, _ = ray.wait(list(self._sent), num_returns=1, fetch_local=False)
            for ref in done:
                del self._sent[ref]
        places: dict[Kind, list[int]] = {}
        for place, value in enumerate(values):
            if not isinstance(value, Rejected):
                places.setdefault(self._kind(value), []).append(place)
        ref = holder.compute.remote(
            [(kind, _packed([values[place] for place in group])) for kind, group in places.items()]
        )
        self._sent[ref] = len(values)
        refused = [value if isinstance(value, Rejected) else None for value in values]
        return _Sent(ref, list(places.values()), refused)


@dataclass(frozen=True)
class _Sent:
    """Values on their way: the places of each group, and what is known of the outcomes."""

    ref: Any
    places: list[list[int]]
    outcomes: list[Outcome]

    def wait(self, stage: str) -> ResourceUsage:
        """Fill in the outcomes; what the holder used for them."""
        groups, use = _answer(stage, self.ref)
        for places, group in zip(self.places, groups, strict=True):
            for place, outcome in zip(places, _unpacked(group), strict=True):
                self.outcomes[place] = outcome
        return use


@dataclass(frozen=True)
class _Joined:
    """Arrays that travel as one, in which they follow each other along the first axis."""

    values: np.ndarray
    lengths: tuple[int, ...]


@dataclass(frozen=True)
class _Pairs:
    """Arrays and what belongs to each."""

    arrays: _Joined
    others: tuple[Any, ...]


def _packed(values: Sequence[Any]) -> _Packed:
    """Values as they travel: arrays, or pairs of one and another thing, as one array."""
    if {*map(type, values)} == {tuple} and {*map(len, values)} == {2}:
        arrays, others = zip(*values, strict=True)
        joined = _packed(arrays)
        return _Pairs(joined, others) if isinstance(joined, _Joined) else values
    if {*map(type, values)} != {np.ndarray}:
        return values
    parts = [*runs(values)]
    if parts[0].ndim < 2 or len({(part.shape[2:], part.dtype) for part in parts}) > 1:
        return values
    flat = [part.reshape(part.shape[0] * part.shape[1], *part.shape[2:]) for part in parts]
    return _Joined(flat[0] if len(flat) == 1 else np.concatenate(flat), tuple(map(len, values)))


def _unpacked(packed: _Packed) -> Sequence[Any]:
    if isinstance(packed, _Pairs):
        return list(zip(_unpacked(packed.arrays), packed.others, strict=True))
    if isinstance(packed, _Joined):
        ends = [0, *accumulate(packed.lengths)]
        return [packed.values[start:end] for start, end in pairwise(ends)]
    return packed


_Packed = _Joined | _Pairs | Sequence[Any]


def _answer(stage: str, ref: Any) -> tuple[list[_Packed], ResourceUsage]:
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        answer: tuple[list[_Packed], ResourceUsage] = ray.get(ref)
        return answer
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
