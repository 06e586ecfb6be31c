"""Which executor runs a piece of work. The choice is never part of a key."""

from __future__ import annotations

import os
from collections.abc import Callable

from pipeline.execution.local import Processes, Serial
from pipeline.execution.options import ExecutionOptions
from pipeline.parts import Executor

# Ray's fixed cost is about 5 CPU-seconds: worth its isolation and retries where that is at most a
# tenth of the work.
RAY_FROM_SECONDS = 50.0
# Spawning a process that imports the libraries costs about a second.
PROCESSES_FROM_SECONDS = 2.0


def chooser(options: ExecutionOptions, device: str = "cpu") -> Callable[[float], Executor]:
    """Gives the executor for work of so many CPU-seconds on `device` (`cpu` or `cuda`)."""
    return lambda cost_s: choose(options, cost_s, device)


def choose(options: ExecutionOptions, cost_s: float, device: str = "cpu") -> Executor:
    """The executor for work of about `cost_s` CPU-seconds on `device`."""
    workers = options.workers or len(os.sched_getaffinity(0))
    address = os.environ.get("RAY_ADDRESS") or options.ray_address
    kind = options.executor
    if kind == "auto":
        if address or device != "cpu" or cost_s >= RAY_FROM_SECONDS:
            kind = "ray"
        else:
            kind = "processes" if cost_s >= PROCESSES_FROM_SECONDS and workers > 1 else "serial"
    if kind == "ray":
        from pipeline.execution.ray import RayExecutor

        gpus = options.gpus_per_worker if device != "cpu" else 0.0
        return RayExecutor(workers, gpus, address)
    return Processes(workers) if kind == "processes" else Serial()
