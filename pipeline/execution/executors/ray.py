"""Ray, on this machine or on a cluster, whose CPUs then count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.execution.options import ExecutionOptions

if TYPE_CHECKING:
    from pipeline.execution.ray import RayExecutor


def executor(options: ExecutionOptions, workers: int, device: str) -> RayExecutor:
    from pipeline.execution.ray import RayExecutor

    return RayExecutor(
        options.workers if options.address else workers,
        options.gpus_per_worker if device != "cpu" else 0.0,
        options.address,
        options.timeout,
    )
