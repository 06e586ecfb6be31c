"""A work that reads files, and tells which processes prepared and which computed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_file
from pipeline.core.machine import gpu_time
from pipeline.parts.job import CompletedPart, Executor, Job
from pipeline.parts.part import Compute, Row, Work
from pipeline.parts.serial import Serial
from pipeline.parts.summary import Summary
from tests.processes import until
from tests.toy import Square, function, put, rows

OUT = Path("out")


@dataclass(frozen=True)
class Reading(Square):
    """Squares the numbers that files of `folder` hold; `trace`, if given, gets a file a process.

    With `unseen` it breaks where the folder is there; it computes nothing until `together`
    processes would, so that none is done before another has begun.
    """

    folder: Path = Path()
    trace: Path | None = None
    seconds: float = 0.0
    gpu_seconds: float = 0.0
    unseen: bool = False
    together: int = 0

    rows_at_once = 3

    def read(self, rows: Sequence[Row]) -> list[str]:
        return [(self.folder / str(row.spec)).read_text() for row in rows]

    def prepare(self, rows: Sequence[Row], read: Sequence[Any]) -> list[int]:
        self._trace("prepared")
        if self.unseen and self.folder.exists():
            raise PipelineError("the worker sees the driver's files")
        return [int(text) for text in read]

    def open(self) -> Compute:
        square = super().open()

        def compute(rows: Sequence[Row], values: Sequence[Any]) -> Sequence[Any]:
            self._trace("computed")
            until(lambda: len(self.traced("computed")) >= self.together)
            time.sleep(self.seconds * len(rows))
            gpu_time.add(self.gpu_seconds * len(rows))
            return square(rows, values)

        return compute

    def _trace(self, what: str) -> None:
        if self.trace:
            (self.trace / f"{what}-{os.getpid()}").touch()

    def traced(self, what: str) -> set[str]:
        found = self.trace.glob(f"{what}-*") if self.trace else ()
        return {path.name.split("-")[1] for path in found}


@dataclass(frozen=True)
class Disturbed:
    """An executor that does something once so many parts are made."""

    executor: Executor
    after: int
    disturb: Callable[[], object]

    def run(self, work: Work, jobs: Sequence[Job], out: Path) -> Iterator[CompletedPart]:
        for number, made in enumerate(self.executor.run(work, jobs, out), 1):
            if number == self.after:
                self.disturb()
            yield made


def put_files(folder: Path, numbers: Sequence[int]) -> Path:
    folder.mkdir()
    for number in numbers:
        (folder / str(number)).write_text(str(number))
    return folder


def bring(
    executor: Executor, work: Work | None = None, numbers: Sequence[int] = range(30)
) -> Summary:
    work = work or Square(function())
    return put(OUT, work, rows(list(numbers)), executor=executor, limit=0.5)


def tree() -> dict[str, str]:
    return {path.name: digest_file(path) for path in sorted(OUT.iterdir())}


def serial(work: Work, numbers: Sequence[int] = range(30)) -> dict[str, str]:
    """The tree that one process makes, which is taken away again."""
    bring(Serial(), work, numbers)
    made = tree()
    for path in OUT.iterdir():
        path.unlink()
    return made
