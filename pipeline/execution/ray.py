"""Ray as an executor: actors hold the encoder and are fed with parts (paths and row ranges).

Ray adds isolation, retries and back-pressure for about 5 CPU-seconds of fixed cost. This is the
only module that imports ray.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.execution.deaths import Death, Deaths
from pipeline.execution.environment import inherited
from pipeline.job import Job, Made, Meter, do
from pipeline.part import Compute, Work


@dataclass(frozen=True)
class RayExecutor:
    """Actors on a Ray cluster.

    Parameters
    ----------
    workers:
        Number of actors.
    gpus_per_worker:
        Share of a GPU that each actor asks for, 0 on CPU.
    address:
        Cluster to join; None starts one on this machine for the length of the stage.
    """

    workers: int
    gpus_per_worker: float = 0.0
    address: str | None = None

    def run(self, work: Work, jobs: Sequence[Job], out: Path) -> Iterator[Made]:
        import ray

        started = not ray.is_initialized()
        if started:
            self._start()
        try:
            workers = min(self.workers, len(jobs), self._slots(work.stage))
            yield from self._spread(work, jobs, out.absolute(), workers)
        finally:
            if started:
                ray.shutdown()

    def _start(self) -> None:
        import ray

        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        options: dict[str, Any] = {"address": self.address}
        if self.address is not None:
            _check_answers(self.address)
        else:
            options = {
                "address": "local",
                "num_cpus": max(self.workers, 1),
                "include_dashboard": False,
            }
            if self.gpus_per_worker:
                options["num_gpus"] = _gpus_here()
        ray.init(
            **options,
            logging_level=logging.ERROR,
            log_to_driver=False,
            runtime_env={"env_vars": inherited()},
        )

    def _slots(self, stage: str) -> int:
        """How many workers the cluster has room for: more would wait for ever."""
        import ray

        there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        needed = {"CPU": 1.0} | ({"GPU": self.gpus_per_worker} if self.gpus_per_worker else {})
        missing = {kind: n for kind, n in needed.items() if n > there.get(kind, 0.0)}
        if missing:
            raise PipelineError(
                f"{stage}: a worker needs "
                + ", ".join(f"{n:g} {kind}" for kind, n in missing.items())
                + ", the Ray cluster has "
                + ", ".join(f"{there.get(kind, 0):g} {kind}" for kind in missing)
                + "; change execution.gpus_per_worker or the feature set's device"
            )
        return min(_fit(there[kind], n) for kind, n in needed.items())

    def _spread(self, work: Work, jobs: Sequence[Job], out: Path, workers: int) -> Iterator[Made]:
        """Keep every actor busy with one part at a time; replace actors that die."""
        import ray
        from ray.exceptions import (
            NodeDiedError,
            OutOfMemoryError,
            RayActorError,
            RayTaskError,
            WorkerCrashedError,
        )

        actor_class = ray.remote(num_cpus=1, num_gpus=self.gpus_per_worker)(_Worker)
        shared = ray.put(work)
        pending, deaths = list(reversed(jobs)), Deaths(work, 3600.0)
        running: dict[Any, tuple[Job, Any]] = {}

        def feed(actor: Any) -> None:
            if pending:
                job = pending.pop()
                running[actor.make.remote(shared, job, out)] = (job, actor)

        for _ in range(workers):
            feed(actor_class.remote())
        while running:
            (done,), _ = ray.wait(list(running), num_returns=1)
            job, actor = running.pop(done)
            try:
                made = ray.get(done)
            except (RayActorError, OutOfMemoryError, NodeDiedError, WorkerCrashedError):
                pending.append(deaths.again(job, Death(None)))
                feed(actor_class.remote())
                continue
            except RayTaskError as error:
                raise error.cause from None
            feed(actor)
            yield made


class _Worker:
    """The actor: opens the work with its first part, so that a failure to open is a plain error."""

    def __init__(self) -> None:
        self._compute: Compute | None = None
        self._meter = Meter()

    def make(self, work: Work, job: Job, out: Path) -> Made:
        if self._compute is None:
            self._compute = work.open()
        return Made(do(work, self._compute, job, out), self._meter.read())


def _fit(there: float, each: float) -> int:
    """Workers that fit, where a share of a GPU must lie on one of them."""
    return int(there) * int(1 / each + 1e-9) if each < 1 else int(there // each)


def _check_answers(address: str) -> None:
    """Ray itself tries an address that nobody answers at for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host:  # `auto`, or a name that only Ray understands
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError):
        raise PipelineError(
            f"no Ray cluster answers at '{address}'; start one (`ray start --head`), or leave "
            f"execution.ray_address and RAY_ADDRESS empty"
        ) from None


def _gpus_here() -> int:
    import torch

    return torch.cuda.device_count()
