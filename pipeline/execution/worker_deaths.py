"""What becomes of a part whose worker died.

A death counts against a row only when that row ran alone, three times, and not by SIGKILL, which
the memory killer and people send. Such a row is rejected; any other part is done again.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.machine.shortage import Shortage
from pipeline.execution.parent_watch import die_with_parent
from pipeline.parts.job import CRASHED, TIMED_OUT, Job, outcomes
from pipeline.parts.part import Row, Work

logger = logging.getLogger(__name__)
# A part whose worker dies this often without a row to blame stops the stage.
ATTEMPTS = 3


@dataclass(frozen=True)
class WorkerDeath:
    """How a worker died: exit code, negative for a signal; None where nobody knows."""

    code: int | None
    overdue: bool = False

    @property
    def killed(self) -> bool:
        """By SIGKILL, so by no fault of a row."""
        return self.code == -signal.SIGKILL and not self.overdue


class WorkerDeaths:
    """Counts the deaths of workers by part, and looks for the row at fault."""

    def __init__(self, work: Work, timeout: float) -> None:
        self._work = work
        self._timeout = timeout
        self._counts: dict[str, int] = {}

    def again(self, job: Job, death: WorkerDeath | Shortage) -> Job:
        """The job to do in place of the one that a worker died on: see `suspect`."""
        if self.suspect(job, death):
            return without(job, find_poison_rows(self._work, job.rows, self._timeout))
        return job

    def suspect(self, job: Job, death: WorkerDeath | Shortage) -> bool:
        """Count a death; tell whether to look for a row at fault.

        Where nobody knows how the worker died, the part is first tried again as it is. A shortage
        is no fault of a row.

        Raises
        ------
        PipelineError
            Workers died on the part `ATTEMPTS` times, or fell short as often as their error says.
        """
        key = job.part.key
        self._counts[key] = self._counts.get(key, 0) + 1
        if isinstance(death, Shortage):
            if self._counts[key] >= death.attempts:
                raise death
            return False
        if self._counts[key] == ATTEMPTS:
            raise PipelineError(
                f"{self._work.stage}: the worker died {ATTEMPTS} times on part {key} ("
                f"{_how(death)}). Finished parts stand; look for memory pressure, use fewer "
                f"workers, or raise execution.timeout, then run again."
            )
        logger.warning(
            "%s: a worker died on part %s (%s); it is done again",
            self._work.stage,
            key,
            _how(death),
        )
        if death.code is None and not death.overdue:
            return self._counts[key] > 1
        return not death.killed


def without(job: Job, refused: Mapping[str, Rejected]) -> Job:
    """The job, less the rows that no worker survives."""
    return replace(job, poisoned={**job.poisoned, **refused})


def find_poison_rows(work: Work, rows: Sequence[Row], timeout: float) -> dict[str, Rejected]:
    """Rows, by digest, that no process survives, and why; found by halving."""
    pending, refused = [list(rows)], {}
    while pending:
        suspects = pending.pop()
        deaths = [_trial(work, suspects, timeout)]
        if deaths[0] is None:
            continue
        if len(suspects) > 1:
            middle = len(suspects) // 2
            pending += [suspects[middle:], suspects[:middle]]
            continue
        deaths += [_trial(work, suspects, timeout) for _ in range(ATTEMPTS - 1)]
        if all(death is not None and not death.killed for death in deaths):
            overdue = any(death is not None and death.overdue for death in deaths)
            refused[suspects[0].digest] = TIMED_OUT if overdue else CRASHED
    return refused


def _trial(work: Work, rows: list[Row], timeout: float) -> WorkerDeath | None:
    """Compute rows in a process of their own; None if it survives."""
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_try, args=(work, rows))
    process.start()
    try:
        process.join(timeout)
    finally:
        overdue = process.is_alive()
        process.kill()
        process.join()
    return WorkerDeath(process.exitcode, overdue) if overdue or process.exitcode else None


def _try(work: Work, rows: list[Row]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    try:
        outcomes(work, work.open(), rows)
    except Exception:
        # Not a death: the next attempt at the part raises it where it can be told.
        os._exit(0)


def _how(death: WorkerDeath) -> str:
    if death.overdue:
        return "it took longer than execution.timeout"
    if death.code is None:
        return "nobody knows how"
    if death.code < 0:
        return f"by {signal.Signals(-death.code).name}"
    return f"exit code {death.code}"
