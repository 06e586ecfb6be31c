"""What runs on a Ray worker: the holder of an encoder, those that feed it, the search for a row.

This module never touches the driver's files but through `Work.read` and `assemble`, and neither
where the rows have travelled.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.machine.processor import processor
from pipeline.core.machine.shortage import as_shortage
from pipeline.execution.parent_watch import die_with_parent
from pipeline.parts.fingerprint import Fingerprint, fingerprint
from pipeline.parts.job import (
    CompletedPart,
    Job,
    ResourceUsage,
    UsageMeter,
    assemble,
    prepared,
    slices,
    total,
)
from pipeline.parts.part import Compute, Outcome, Row, Work, apply_bisecting

# Feeders that have found no room by then are done without.
FEEDER_SECONDS = 30.0


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


class Preprocessor:
    """Reads and prepares rows on a CPU, for the worker that holds a GPU."""

    def __init__(self, work: Work) -> None:
        die_with_parent()
        self._work, self._meter = work, UsageMeter()

    def greet(self, token: Token | None) -> Handshake:
        return _greeting(self._work, token)

    def prepare(
        self, rows: Sequence[Row], read: Sequence[Any] | None
    ) -> tuple[list[Outcome], ResourceUsage]:
        """Prepared rows; `read` holds what they point at where that has travelled."""
        work = self._work if read is None else Carried(self._work, rows, read)
        with as_shortage(work.stage):
            return prepared(work, rows), self._meter.read()


class Worker:
    """Holds the encoder and makes parts, or computes rows that have travelled.

    Parameters
    ----------
    gpus:
        Share of a GPU that it holds.
    feeders:
        CPU actors that prepare rows for it; with none it does so itself.
    variables:
        Environment that feeders must be given.
    """

    def __init__(self, work: Work, gpus: float, feeders: int, variables: dict[str, str]) -> None:
        # Of a dead node's workers, some would work on for a minute.
        die_with_parent()
        self._work, self._gpus, self._meter = work, gpus, UsageMeter()
        self._compute: Compute | None = None
        # Two parts may be under way, so that one is fed while the other is computed.
        self._turn = threading.Lock()
        self._gpu_seconds, self._fed = 0.0, ResourceUsage("")
        self._feeders = _feeders(work, feeders, variables)
        self._fed_to = itertools.count()

    def greet(self, token: Token | None) -> Handshake:
        """Answers once it and its feeders run."""
        import ray

        greetings = [feeder.greet.remote(token) for feeder in self._feeders]
        if greetings:
            ready, _ = ray.wait(
                greetings, num_returns=len(greetings), timeout=FEEDER_SECONDS, fetch_local=False
            )
            there = [ref in ready for ref in greetings]
            for feeder, is_there in zip(self._feeders, there, strict=True):
                if not is_there:
                    ray.kill(feeder)
            self._feeders = [f for f, ok in zip(self._feeders, there, strict=True) if ok]
            greetings = ready
        told = [_greeting(self._work, token), *ray.get(greetings)]
        differs = dict.fromkeys(name for one in told for name in one.differs)
        return Handshake(all(one.shares_filesystem for one in told), tuple(differs))

    def make(self, job: Job, out: Path) -> CompletedPart:
        """Make a part, all of it here: the worker sees the driver's files."""
        found: list[Outcome] = []
        with as_shortage(self._work.stage):
            for some, values in self._prepared(job.rows):
                found += self._computed(some, values)
            return assemble(self._work, job, found, out, self._use)

    def outcomes(
        self, rows: Sequence[Row], read: Sequence[Any]
    ) -> tuple[list[Outcome], ResourceUsage]:
        """Outcomes of one slice of rows, whose inputs have travelled."""
        with as_shortage(self._work.stage):
            if self._feeders:
                values = self._told(self._feeder().prepare.remote(rows, read))
            else:
                values = prepared(Carried(self._work, rows, read), rows)
            found = self._computed(rows, values)
        return found, self._use()

    def _prepared(self, rows: Sequence[Row]) -> Iterator[tuple[Sequence[Row], list[Outcome]]]:
        """Slices of rows, as many under way as there are feeders."""
        groups = slices(rows, self._work.rows_at_once)
        if not self._feeders:
            for some in groups:
                yield some, prepared(self._work, some)
            return
        ahead: deque[tuple[Sequence[Row], Any]] = deque()
        for some in groups:
            if len(ahead) == len(self._feeders):
                first, coming = ahead.popleft()
                yield first, self._told(coming)
            ahead.append((some, self._feeder().prepare.remote(some, None)))
        for first, coming in ahead:
            yield first, self._told(coming)

    def _feeder(self) -> Any:
        return self._feeders[next(self._fed_to) % len(self._feeders)]

    def _told(self, coming: Any) -> list[Outcome]:
        import ray

        values, use = ray.get(coming)
        with self._turn:
            self._fed = total([use, self._fed])
        return values  # type: ignore[no-any-return]

    def _computed(self, rows: Sequence[Row], values: Sequence[Outcome]) -> list[Outcome]:
        with self._turn:
            self._compute = self._compute or self._work.open()
            began = time.monotonic()
            found = apply_bisecting(self._compute, rows, values, self._work.stage)
            if self._gpus:
                self._gpu_seconds += time.monotonic() - began
        return found

    def _use(self) -> ResourceUsage:
        """What this worker and its feeders used since it last told."""
        import ray

        with self._turn:
            use = total([self._fed, self._meter.read(self._gpu_seconds)])
            self._gpu_seconds, self._fed = 0.0, ResourceUsage("")
        node = ray.get_runtime_context().get_node_id()[:8]
        return replace(use, worker=f"{node}/{os.getpid()}")


def _feeders(work: Work, count: int, variables: dict[str, str]) -> list[Any]:
    """Actors that this worker owns, so that they die with it; beside it, where there is room."""
    if not count:
        return []
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    near = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    kind = ray.remote(num_cpus=1)(Preprocessor).options(
        scheduling_strategy=near, runtime_env={"env_vars": variables} if variables else None
    )
    shared = ray.put(work)
    return [kind.remote(shared) for _ in range(count)]


def _greeting(work: Work, token: Token | None) -> Handshake:
    """Without a token the cluster is the driver's own, and so are its files and its code."""
    if token is None:
        return Handshake(True, ())
    return Handshake(token.is_seen(), differences(work.fingerprint))


def differences(asked: Fingerprint) -> tuple[str, ...]:
    """Modules and libraries that are not those the fingerprint names, as installed here."""
    try:
        here = fingerprint(asked.function, asked.code, asked.parameters)
    except ModuleNotFoundError as error:
        return (str(error),)
    pairs = [
        (asked.code, here.code),
        (asked.libraries, here.libraries),
        ({"Python": asked.python}, {"Python": here.python}),
        ({"processor": asked.processor}, {"processor": _processor(asked.processor)}),
    ]
    return tuple(
        name
        for mine, theirs in pairs
        for name in sorted({*mine, *theirs})
        if mine.get(name) != theirs.get(name)
    )


def _processor(asked: str) -> str:
    """This worker's processor, named as `asked` is: by itself, or with where torch computes."""
    here = processor()
    for device in ("cpu", "cuda"):
        if here != asked:
            with contextlib.suppress(PipelineError):  # there is no such device here
                here = processor(device)
    return here
