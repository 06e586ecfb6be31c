"""This process, one part after the other."""

from __future__ import annotations

from pipeline.execution.options import ExecutionOptions
from pipeline.parts.serial import Serial


def executor(options: ExecutionOptions, workers: int, device: str) -> Serial:
    return Serial()
