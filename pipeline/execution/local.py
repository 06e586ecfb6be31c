"""Executors of this machine: in this process, or in processes of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.execution.environment import single_thread
from pipeline.execution.watch import die_with_parent
from pipeline.part import Compute, Entry, Part, Work, make


@dataclass(frozen=True)
class Serial:
    """One part after the other, here. For small deltas and for debugging."""

    def run(self, work: Work, parts: Sequence[Part], out: Path) -> Iterator[Entry]:
        compute = work.open()
        for part in parts:
            yield make(work, compute, part, out)


@dataclass(frozen=True)
class Processes:
    """A pool of spawned processes, each with one thread and its own copy of the encoder."""

    workers: int

    def run(self, work: Work, parts: Sequence[Part], out: Path) -> Iterator[Entry]:
        context = multiprocessing.get_context("spawn")
        with (
            single_thread(),
            ProcessPoolExecutor(min(self.workers, len(parts)), context, _start, (work,)) as pool,
        ):
            futures = [pool.submit(_make, work, part, out) for part in parts]
            try:
                for future in as_completed(futures):
                    yield future.result()
            except BrokenProcessPool:
                raise PipelineError(
                    f"{work.stage}: a worker process died (killed, or out of memory). Finished "
                    f"parts stand; run again to go on, with fewer workers if memory was short."
                ) from None
            finally:
                pool.shutdown(cancel_futures=True)


_compute: Compute


def _start(work: Work) -> None:
    global _compute
    die_with_parent()
    _compute = work.open()


def _make(work: Work, part: Part, out: Path) -> Entry:
    return make(work, _compute, part, out)
