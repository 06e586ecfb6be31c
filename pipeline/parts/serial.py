"""The executor that every stage can have: this process, one part after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.parts.job import CompletedPart, Job, UsageMeter, execute
from pipeline.parts.part import Work


@dataclass(frozen=True)
class Serial:
    """One part after the other, here. For small deltas and for debugging."""

    def run(self, work: Work, jobs: Sequence[Job], out: Path) -> Iterator[CompletedPart]:
        compute = work.open()
        meter = UsageMeter(own=False)
        for job in jobs:
            yield execute(work, compute, job, out, meter)
