"""Executors of this machine: in this process, or in processes of its own."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.logs import configure_worker
from pipeline.core.machine.shortage import Shortage, as_shortage
from pipeline.execution.parent_watch import die_with_parent
from pipeline.execution.worker_deaths import WorkerDeath, WorkerDeaths
from pipeline.parts.job import CompletedPart, Job, UsageMeter, execute
from pipeline.parts.part import Work


@dataclass(frozen=True)
class Processes:
    """Processes, each with one thread and its own copy of the encoder.

    A process that dies is replaced and its part done again; see `deaths` for what becomes of a
    part on which they die repeatedly.

    Parameters
    ----------
    workers:
        Number of processes, at most.
    timeout:
        Seconds that a part may take.
    """

    workers: int
    timeout: float = 3600.0

    def run(self, work: Work, jobs: Sequence[Job], out: Path) -> Iterator[CompletedPart]:
        pending, deaths = list(reversed(jobs)), WorkerDeaths(work, self.timeout)
        pool: list[_Worker] = []
        try:
            _preload(work)
            while pending or any(worker.job for worker in pool):
                for worker in [worker for worker in pool if worker.job is None][: len(pending)]:
                    if worker.give(pending[-1]):
                        pending.pop()
                    else:  # it died with nothing to do, which counts against no part
                        pool.remove(worker)
                while pending and len(pool) < self.workers:
                    pool.append(_Worker(work, out))
                    pool[-1].give(pending.pop())
                for worker in _ready(pool, self.timeout):
                    job = worker.job
                    assert job is not None
                    outcome = worker.take(self.timeout)
                    if isinstance(outcome, CompletedPart):
                        yield outcome
                    elif isinstance(outcome, WorkerDeath | Shortage):
                        pool.remove(worker)
                        worker.end()
                        pending.append(deaths.again(job, outcome))
                    else:
                        raise outcome
        finally:
            for worker in pool:
                worker.process.kill()
            for worker in pool:
                worker.end()


@dataclass
class _Worker:
    """A process, the pipe to it, and the job that it is at."""

    work: Work
    out: Path
    job: Job | None = None
    since: float = 0.0
    process: Any = field(init=False)
    pipe: Connection = field(init=False)

    def __post_init__(self) -> None:
        context = multiprocessing.get_context("forkserver")
        self.pipe, inner = context.Pipe()
        self.process = context.Process(
            target=_serve, args=(self.work, self.out, inner), daemon=False
        )
        try:
            with _without_main():
                self.process.start()
        except (EOFError, OSError) as error:  # of the server that forks it, which has died
            if "path too long" in str(error):
                raise PipelineError(
                    f"{self.work.stage}: no worker process could be started: the temporary folder "
                    f"{tempfile.gettempdir()} has too long a path for a socket in it. Set TMPDIR "
                    f"to a shorter one, and run again."
                ) from error
            raise PipelineError(
                f"{self.work.stage}: no worker process could be started ({type(error).__name__}). "
                f"Finished parts stand; look for memory pressure, and run again."
            ) from error
        inner.close()

    def give(self, job: Job) -> bool:
        """Send a job; tell whether the process was there to get it. If not, `take` tells why."""
        self.job, self.since = job, time.monotonic()
        try:
            self.pipe.send(job)
        except OSError:
            return False
        return True

    def take(self, timeout: float) -> CompletedPart | WorkerDeath | Exception:
        """What came of the job; of a dead or overdue process, its death."""
        try:
            if self.pipe.poll():
                outcome: CompletedPart | Exception = self.pipe.recv()
                self.job = None
                return outcome
        except (EOFError, OSError):
            pass
        overdue = self.process.is_alive() and time.monotonic() - self.since >= timeout
        if overdue:
            self.process.kill()
        self.process.join()
        return WorkerDeath(self.process.exitcode, overdue)

    def end(self) -> None:
        """Kill the process, so that its memory is free."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


@contextmanager
def _without_main() -> Iterator[None]:
    """A process started here does not run anew what started this one: the command, or a script."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _preload(work: Work) -> None:
    """Import once what every process needs: they are forked from a server that has it loaded."""
    modules = ["pipeline.execution.processes", "pyarrow.parquet", *sorted(work.fingerprint.code)]
    multiprocessing.get_context("forkserver").set_forkserver_preload(modules)


def _ready(pool: Sequence[_Worker], timeout: float) -> list[_Worker]:
    """Workers that have told something, died, or are overdue."""
    busy = [worker for worker in pool if worker.job is not None]
    now = time.monotonic()
    left = min(worker.since + timeout - now for worker in busy)
    wait([w.pipe for w in busy] + [w.process.sentinel for w in busy], max(left, 0.0))
    now = time.monotonic()
    return [
        worker
        for worker in busy
        if worker.pipe.poll() or not worker.process.is_alive() or now - worker.since >= timeout
    ]


def _serve(work: Work, out: Path, pipe: Connection) -> None:
    """Do jobs until there are no more. An interrupt is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    configure_worker()
    meter, compute = UsageMeter(), None
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        try:
            with as_shortage(work.stage):
                compute = compute or work.open()
            outcome: CompletedPart | Exception = execute(work, compute, job, out, meter)
        except Exception as error:
            outcome = error if isinstance(error, PipelineError) else _with_traceback(error)
        pipe.send(outcome)


def _with_traceback(error: Exception) -> Exception:
    """An error with the worker's traceback as its cause, since a traceback does not travel."""
    import traceback

    error.add_note("".join(traceback.format_exception(error)))
    return error
