"""Which executor runs a piece of work. The choice is never part of a key."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from pipeline.execution.executors import executor_kind
from pipeline.execution.options import AUTO, ExecutionOptions
from pipeline.parts.job import Executor

logger = logging.getLogger(__name__)

# Ray's fixed cost is about 5 CPU-seconds: worth its isolation and retries where that is at most a
# tenth of the work.
RAY_FROM_SECONDS = 50.0
# Spawning a process that imports the libraries costs about a second.
PROCESSES_FROM_SECONDS = 2.0


def chooser(
    options: ExecutionOptions, device: str = "cpu", foreign: bool = False
) -> Callable[[float], Executor]:
    """Gives the executor for work of so many CPU-seconds: see `choose`."""
    return lambda cost_s: choose(options, cost_s, device, foreign)


def choose(
    options: ExecutionOptions, cost_s: float, device: str = "cpu", foreign: bool = False
) -> Executor:
    """The executor for work of about `cost_s` CPU-seconds.

    Parameters
    ----------
    device:
        `cpu` or `cuda`.
    foreign:
        Whether foreign code meets foreign data, as decoders do: a crash must then not be this
        process's own, so even little work goes to a process.
    """
    workers = options.workers or len(os.sched_getaffinity(0))
    kind = options.executor
    if kind == AUTO:
        if options.address or cost_s >= RAY_FROM_SECONDS:
            kind = "ray"
        else:
            # One process starts CUDA, which takes longer than such work.
            many = cost_s >= PROCESSES_FROM_SECONDS and device == "cpu"
            workers = workers if many else 1
            kind = "processes" if foreign or (many and workers > 1) else "serial"
    logger.debug("work of %.1f CPU-seconds goes to: %s", cost_s, kind)
    return executor_kind(kind).executor(options, workers, device)
