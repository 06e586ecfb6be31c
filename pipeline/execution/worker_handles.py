"""What the scheduler knows of each process of the cluster, and of each job on its way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.parts.job import Job, ResourceUsage
from pipeline.parts.part import Outcome, Row


@dataclass(eq=False)
class InFlightJob:
    """A job on its way: whole, or in slices of which the outcomes come back."""

    job: Job
    groups: list[Sequence[Row]]
    sent: int = 0
    by_slice: dict[int, list[Outcome]] = field(default_factory=dict)
    uses: list[ResourceUsage] = field(default_factory=list)

    @property
    def outcomes(self) -> list[Outcome]:
        return [outcome for number in sorted(self.by_slice) for outcome in self.by_slice[number]]


@dataclass(eq=False)
class HolderHandle:
    """A process that holds a share of a GPU."""

    actor: Any
    greeting: Any
    greeted: bool = False


@dataclass(eq=False)
class WorkerHandle:
    """A worker, its jobs and tasks in flight, oldest first, and since when it is at the oldest.

    Answers may come in another order than they were asked for.
    """

    actor: Any
    greeting: Any
    shares_filesystem: bool | None = None
    in_flight: list[InFlightJob] = field(default_factory=list)
    tasks: dict[Any, tuple[InFlightJob, int]] = field(default_factory=dict)
    since: float = 0.0
    holder: HolderHandle | None = None

    @property
    def rows(self) -> int:
        """Rows under way."""
        return sum(len(entry.job.rows) for entry in self.in_flight)

    @property
    def unsent(self) -> InFlightJob | None:
        """The job of which slices remain to be sent."""
        return next((entry for entry in self.in_flight if entry.sent < len(entry.groups)), None)
