"""Ray as an executor: actors hold the encoder and are fed with parts (paths and row ranges).

Ray adds isolation, retries, several machines and GPUs for about 5 CPU-seconds of fixed cost. It is
imported by the parts of this module alone: `cluster` and `ray_head` find or start Ray, `placement`
fits workers into it, `ray_scheduler` is the driver's loop, `worker` runs on the other side.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.files.atomic import half
from pipeline.execution.cluster import joined, nodes
from pipeline.execution.placement import place
from pipeline.execution.ray_scheduler import Scheduler
from pipeline.execution.worker import Token
from pipeline.parts.job import CompletedPart, Job
from pipeline.parts.part import Work


@dataclass(frozen=True)
class RayExecutor:
    """Actors on a Ray cluster.

    Parameters
    ----------
    workers:
        Number of processes, at most; None: the CPUs of the cluster.
    gpus_per_worker:
        Share of a GPU that each holder of an encoder asks for, 0 on CPU.
    address:
        Cluster to join; None: one of this machine's own.
    timeout:
        Seconds that a part may take.
    """

    workers: int | None
    gpus_per_worker: float = 0.0
    address: str | None = None
    timeout: float = 3600.0

    def run(self, work: Work, jobs: Sequence[Job], out: Path) -> Iterator[CompletedPart]:
        out = out.absolute()
        here = len(os.sched_getaffinity(0))
        with (
            joined(self.address, max(self.workers or here, here)) as variables,
            _token(out if self.address else None) as token,
        ):
            placement = place(work.stage, nodes(), self.workers, self.gpus_per_worker, len(jobs))
            yield from Scheduler(work, jobs, out, placement, token, variables, self.timeout).run()


@contextmanager
def _token(out: Path | None) -> Iterator[Token | None]:
    """A file where parts are half written, for as long as the work takes."""
    if out is None:
        yield None
        return
    out.mkdir(parents=True, exist_ok=True)
    token = Token(half(out / "driver"), secrets.token_hex(16))
    token.path.write_text(token.text)
    try:
        yield token
    finally:
        token.path.unlink(missing_ok=True)
