"""An extract stage that tells of each batch how full it was and what its process had spent."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.parts.part import Compute, Outcome, Row
from pipeline.stages.work.batch_invariance import ProvenExtract


@dataclass(frozen=True)
class Traced(ProvenExtract):
    """Writes a line a batch into a file of its process in `trace`."""

    trace: Path = Path()

    def open(self) -> Compute:
        compute = super().open()

        def traced(rows: Sequence[Row], values: Sequence[Any]) -> Sequence[Outcome]:
            outcomes = compute(rows, values)
            with (self.trace / str(os.getpid())).open("a") as file:
                room = self.batch(values[0])[1]
                file.write(f"{len(rows)} {room} {time.process_time()}\n")
            return outcomes

        return traced


def read(trace: Path) -> dict[str, float]:
    """`filled`: rows ÷ room of all batches; `holder ms a row`: CPU of who called the encoder."""
    rows = room = spent_rows = 0.0
    spent = 0.0
    for path in trace.iterdir():
        lines = [[float(word) for word in line.split()] for line in path.read_text().splitlines()]
        rows += sum(line[0] for line in lines)
        room += sum(line[1] for line in lines)
        # Before the first batch the encoder is loaded.
        spent += lines[-1][2] - lines[0][2]
        spent_rows += sum(line[0] for line in lines[1:])
    return {"filled": rows / room, "holder ms a row": 1000 * spent / max(spent_rows, 1)}
