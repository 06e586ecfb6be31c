"""What is said while parts are made: how far the work is, and what its rows' functions raised.

Progress is a bar on a terminal, else a line in the log every half minute.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TextIO, TypeVar

from pipeline.core.failure_log import FailureLog
from pipeline.core.logs import FORMAT

if TYPE_CHECKING:
    from pipeline.parts.job import CompletedPart, ResourceUsage

LINE_SECONDS = 30.0
T = TypeVar("T")

logger = logging.getLogger(__name__)


class Tally:
    """What has been made, how fast, and what each worker used for it.

    Parameters
    ----------
    total:
        Rows to be made.
    """

    def __init__(self, total: int, now: float) -> None:
        self.rows, self.total = 0, total
        self._began = now
        self._used: dict[str, list[ResourceUsage]] = {}

    def add(self, rows: int, use: ResourceUsage) -> None:
        self.rows += rows
        self._used.setdefault(use.worker, []).append(use)

    def line(self, now: float) -> str:
        """`120 of 400 rows, 12.0 rows/s, 0:23 left; 4 workers at 97 % of a CPU, 40 % of a GPU`.

        The shares are the mean of the workers', each from the start to its last finished part;
        of a GPU, of the processes that hold one, by its own clock.
        """
        seconds = max(now - self._began, 1e-9)
        rate = self.rows / seconds
        text = f"{self.rows} of {self.total} rows, {rate:.1f} rows/s"
        if rate:
            text += f", {_minutes((self.total - self.rows) / rate)} left"
        return text + (f"; {self.shares(seconds)}" if self._used else "")

    def shares(self, seconds: float) -> str:
        """How busy the workers are, of the time since the start."""
        count = len(self._used)
        each = [use for uses in self._used.values() for use in uses]
        cpu = sum(use.cpu_seconds for use in each) / count / seconds
        holders = len({use.holder or use.worker for use in each if use.gpu_seconds})
        gpu = sum(use.gpu_seconds for use in each) / max(holders, 1) / seconds
        text = f"{count} worker{'s' * (count != 1)} at {cpu:.0%} of a CPU"
        return text + (f", {gpu:.0%} of a GPU" if gpu else "")


def track(
    stage: str,
    completed: Iterable[CompletedPart],
    rows: Mapping[str, int],
    file: TextIO | None = None,
) -> Iterator[CompletedPart]:
    """Pass parts through as they are made, counting their rows and logging their failures.

    Parameters
    ----------
    rows:
        Key → number of rows of every part that is to be made.
    file:
        Where a bar is shown, if it is a terminal; None: the standard error.
    """
    file = file or sys.stderr
    tally, failures = Tally(sum(rows.values()), time.monotonic()), FailureLog(stage)
    bar = file.isatty() and os.environ.get(FORMAT) != "json"
    for part in _bar(stage, completed, tally, file) if bar else _lines(stage, completed, tally):
        tally.add(rows[part.entry.key], part.use)
        failures.add(part.failures)
        logger.debug("%s: part %s made by %s", stage, part.entry.key, part.use.worker)
        yield part


def reading_bytes(
    label: str, items: Iterable[tuple[T, str, int]], total: int, file: TextIO | None = None
) -> Iterator[tuple[T, str]]:
    """Pass things through as they are read, counting their bytes, the third of each.

    Parameters
    ----------
    total:
        Bytes of all of them.
    """
    from rich.console import Console
    from rich.filesize import decimal
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    file = file or sys.stderr
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    bar = Progress(
        *columns,
        TimeRemainingColumn(),
        console=Console(file=file),
        transient=True,
        disable=not file.isatty(),
    )
    last_line, done = time.monotonic(), 0
    with bar:
        task = bar.add_task(label, total=total)
        for item, result, size in items:
            yield item, result
            done += size
            bar.advance(task, size)
            if bar.disable and time.monotonic() - last_line >= LINE_SECONDS:
                last_line = time.monotonic()
                print(f"{label}: {decimal(done)} of {decimal(total)}", file=file, flush=True)


def _lines(stage: str, completed: Iterable[CompletedPart], tally: Tally) -> Iterator[CompletedPart]:
    """A line when a part is done and the last line is half a minute old: none for short work."""
    last_line = time.monotonic()
    for part in completed:
        yield part
        now = time.monotonic()
        if now - last_line >= LINE_SECONDS:
            last_line = now
            logger.info("%s: %s", stage, tally.line(now), extra={"stage": stage})


def _bar(
    stage: str, completed: Iterable[CompletedPart], tally: Tally, file: TextIO
) -> Iterator[CompletedPart]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[line]}")
    with Progress(*columns, console=Console(file=file), transient=True) as progress:
        line = tally.line(time.monotonic())
        task = progress.add_task(stage, total=tally.total, line=line)
        for part in completed:
            yield part
            line = tally.line(time.monotonic())
            progress.update(task, completed=tally.rows, line=line)


def _minutes(seconds: float) -> str:
    """`1:02:03`, `2:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
