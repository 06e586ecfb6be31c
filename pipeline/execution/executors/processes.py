"""Processes of this machine."""

from __future__ import annotations

from pipeline.execution.options import ExecutionOptions
from pipeline.execution.processes import Processes


def executor(options: ExecutionOptions, workers: int, device: str) -> Processes:
    return Processes(workers, options.timeout)
