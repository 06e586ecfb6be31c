"""A work that squares numbers, small enough to test the machinery that runs any work."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.files.digest import digest_bytes
from pipeline.core.machine.shortage import as_device_failure
from pipeline.parts.fingerprint import Fingerprint, fingerprint
from pipeline.parts.job import Executor
from pipeline.parts.part import Compute, Row, Work
from pipeline.parts.plan import PartsPlan
from pipeline.parts.serial import Serial
from pipeline.parts.summary import Summary


def function(**parameters: object) -> Fingerprint:
    return fingerprint("toy", ["pipeline.parts.part"], parameters)


def rows(numbers: list[int], batch: str = "b") -> list[Row]:
    return [Row(digest_bytes(str(n).encode()), str(n), "s", batch, size=8, spec=n) for n in numbers]


@dataclass(frozen=True)
class Square(Work):
    """Squares each row's number; rejects the negative; can be told to fail on one number.

    On `fails_on` it raises what nobody foresaw, on `breaks_on` what the user can mend, on
    `harms_on` the process dies by `harm`, these two only until the file `once`, if given, is there;
    each computed number is written down as a file in `seen`.
    """

    fingerprint: Fingerprint
    breaks_on: int | None = None
    fails_on: int | None = None
    harms_on: int | None = None
    harm: signal.Signals | None = None
    once: Path | None = None
    seen: Path | None = None
    stage: str = "toy"
    cost_ms: float = 1.0
    verb: str = "squared"

    def prepare(self, rows: Sequence[Row], read: Sequence[Any]) -> list[int]:
        return [row.spec for row in rows]

    def open(self) -> Compute:
        return lambda rows, values: [self._square(number) for number in values]

    def _square(self, number: int) -> int | Rejected:
        if self.seen:
            (self.seen / str(number)).touch()
        fresh = not (self.once and self.once.exists())
        if number == self.breaks_on and fresh:
            raise PipelineError("told to break")
        if number == self.fails_on:
            raise RuntimeError("the library gave up")
        if number == self.harms_on and fresh:
            if self.once:
                self.once.touch()
            if self.harm is None:
                time.sleep(60)
            else:
                os.kill(os.getpid(), self.harm)
        if number < 0:
            return Rejected("negative", "the number is below zero")
        return int(number**2)

    def table(self, rows: Sequence[Row], outcomes: Sequence[int]) -> pa.Table:
        schema = pa.schema([("digest", pa.string()), ("key", pa.string()), ("square", pa.int64())])
        records = [
            {"digest": row.digest, "key": row.key, "square": square}
            for row, square in zip(rows, outcomes, strict=True)
        ]
        return pa.Table.from_pylist(records, schema=schema)


class Starved(Square):
    """Finds no memory for `harms_on`, until the file `once`, if given, is there."""

    def _square(self, number: int) -> int:
        if number == self.harms_on and not (self.once and self.once.exists()):
            if self.once:
                self.once.touch()
            raise MemoryError("not enough")
        return int(number**2)


class OnGpu(Square):
    """Computes on what it takes for a GPU, whose library fails on `fails_on`.

    Each failure adds a file to the folder `seen`; with `once` there is only one.
    """

    def open(self) -> Compute:
        def compute(rows: Sequence[Row], values: Sequence[int]) -> list[int]:
            with as_device_failure(self.stage):
                return [self._square(number) for number in values]

        return compute

    def _square(self, number: int) -> int:
        assert self.seen is not None
        if number == self.fails_on and not (self.once and self.once.exists()):
            if self.once:
                self.once.touch()
            (self.seen / str(os.getpid())).touch()
            raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED")
        return int(number**2)


def put(
    out: Path,
    work: Work,
    found: Sequence[Row],
    *,
    cut: tuple[int, int] = (4, 10**6),
    executor: Executor | None = None,
    limit: float = 0.0,
) -> Summary:
    """Bring a directory to these rows, without DVC above."""
    return PartsPlan(
        out, work, lambda: found, lambda: [], cut, lambda _: executor or Serial(), limit
    ).run()
