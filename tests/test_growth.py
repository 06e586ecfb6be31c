"""What growth costs: no more memory for ten times the rows, no more storage than the new rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.execution.processes import Processes
from pipeline.parts.fingerprint import Fingerprint
from pipeline.parts.part import Compute, Row, Work
from tests.toy import function, put, rows

BYTES = 40_000


@dataclass(frozen=True)
class Fill(Work):
    """Gives each row some bytes of its own, which do not compress."""

    fingerprint: Fingerprint
    stage: str = "fill"
    cost_ms: float = 1.0
    verb: str = "filled"

    def open(self) -> Compute:
        return lambda rows, values: [
            np.random.default_rng(int(row.digest[:8], 16)).bytes(BYTES) for row in rows
        ]

    def table(self, rows: Sequence[Row], outcomes: Sequence[bytes]) -> pa.Table:
        schema = pa.schema([("digest", pa.string()), ("key", pa.string()), ("data", pa.binary())])
        columns = [[row.digest for row in rows], [row.key for row in rows], list(outcomes)]
        return pa.table(dict(zip(schema.names, columns, strict=True)), schema=schema)


def sized(first: int, count: int, batch: str = "b") -> list[Row]:
    plain = rows(list(range(first, first + count)), batch)
    return [Row(r.digest, r.key, r.source, r.batch, BYTES, spec=r.spec) for r in plain]


@pytest.mark.slow
def test_ten_times_the_rows_take_no_more_memory(inside: Path) -> None:
    """From a number on at which the allocators' own keep, a third of the peak, has come to rest."""
    cut, work = (128, 2**23), Fill(function())
    peaks = [
        max(
            use.peak_mb
            for use in put(Path(name), work, sized(0, count), cut=cut, executor=Processes(2)).used
        )
        for name, count in (("few", 4000), ("many", 40_000))
    ]
    assert peaks[1] <= 1.3 * peaks[0]


def test_a_hundredth_of_new_rows_adds_a_hundredth_of_bytes(inside: Path) -> None:
    out, work, cut = Path("out"), Fill(function()), (64, 2**23)
    old = sized(0, 1000)
    put(out, work, old, cut=cut)
    before = {path.name: path.stat() for path in out.glob("*.parquet")}
    size = sum(stat.st_size for stat in before.values())
    assert size > 1000 * BYTES
    put(out, work, [*old, *sized(1000, 10, "c")], cut=cut)
    added = [path for path in out.glob("*.parquet") if path.name not in before]
    assert 0.009 * size < sum(path.stat().st_size for path in added) <= 0.011 * size
    for name, stat in before.items():
        assert (out / name).stat().st_ino == stat.st_ino
