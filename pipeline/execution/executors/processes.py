"""Processes of this machine."""

from __future__ import annotations

from pipeline.execution.options import ExecutionOptions
from pipeline.execution.processes import Processes


def executor(options: ExecutionOptions, workers: int, device: str) -> Processes:
    # Each would hold a copy of the encoder, and of CUDA, on the one GPU.
    return Processes(workers if device == "cpu" else 1, options.timeout)
