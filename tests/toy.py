"""A work that squares numbers, small enough to test the machinery that runs any work."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pipeline.digest import digest_bytes
from pipeline.fingerprint import Fingerprint, fingerprint
from pipeline.part import Compute, Part, Row, write_table
from pipeline.records import Reject


def function(**parameters: object) -> Fingerprint:
    return fingerprint("toy", ["pipeline.part"], parameters)


def rows(numbers: list[int], batch: str = "b") -> list[Row]:
    return [Row(digest_bytes(str(n).encode()), str(n), "s", batch, size=8, spec=n) for n in numbers]


@dataclass(frozen=True)
class Square:
    """Squares each row's number; rejects the negative; can be told to break on one number."""

    fingerprint: Fingerprint
    breaks_on: int | None = None
    kills_on: int | None = None
    once: Path | None = None
    stage: str = "toy"
    cost_ms: float = 1.0

    def open(self) -> Compute:
        return self._square

    def _square(self, part: Part) -> tuple[pa.Table, list[Reject]]:
        kept, refused = [], []
        for row in part.rows:
            if row.spec == self.breaks_on:
                raise RuntimeError("told to break")
            if row.spec == self.kills_on and not (self.once and self.once.exists()):
                if self.once:
                    self.once.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if row.spec < 0:
                refused.append(
                    Reject(
                        "toy", row.source, row.batch, "asset", row.digest, row.digest,
                        "negative", "the number is below zero",
                    )
                )  # fmt: skip
            else:
                kept.append({"digest": row.digest, "square": row.spec**2})
        schema = pa.schema([("digest", pa.string()), ("square", pa.int64())])
        return pa.Table.from_pylist(kept, schema=schema), refused

    def write(self, table: pa.Table, path: Path, metadata: dict[bytes, bytes]) -> None:
        write_table(table, path, metadata)
