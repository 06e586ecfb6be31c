"""Executors, one a file: `ExecutorKind` is what a file has. No key sees which one worked."""

from __future__ import annotations

from typing import Protocol

from pipeline.core import registry
from pipeline.execution.options import FOLDER, ExecutionOptions
from pipeline.parts.job import Executor


class ExecutorKind(Protocol):
    """A kind of executor."""

    def executor(self, options: ExecutionOptions, workers: int, device: str) -> Executor:
        """One that does jobs (see `pipeline.parts.job.Executor`).

        Parameters
        ----------
        workers:
            As many as the options ask for, or as the CPUs that this process may use.
        device:
            `cpu` or `cuda`: where the work computes.
        """


def executor_kind(name: str) -> ExecutorKind:
    """The kind of executor of that name."""
    return registry.load(FOLDER, name, ExecutorKind)
