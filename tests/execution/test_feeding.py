"""A GPU that takes no time: whether all feed it at once, how full its batches are, what it costs.

Nothing here is measured by a clock: feeders wait for each other, and lines and bytes are counted.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
import threading
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.core import adjacent
from pipeline.encoders import _fixed_batch, efficientnet_lite0
from pipeline.encoders._fixed_batch import FixedBatch
from pipeline.encoders.efficientnet_lite0 import Options
from pipeline.execution import batching, worker
from pipeline.execution.ray import RayExecutor
from pipeline.execution.ray_scheduler import FED_IN_FLIGHT
from pipeline.parts.part import Compute, Row
from pipeline.stages.work.batch_invariance import ProvenExtract
from tests.processes import until
from tests.toy import Square, function, put, rows

FEEDERS, PARTS, PART_ROWS = 8, 48, 300
SLICES = 2  # of a part: 256 rows and the rest
# Until then no feeder can have been given more than its share of the parts, so there is work for
# every other one too.
ROUNDS = SLICES * (PARTS // FEEDERS - FED_IN_FLIGHT)


@dataclass(frozen=True)
class Together(Square):
    """Prepares a slice when every feeder is at as many slices, and writes down who was at which.

    The first that waits in vain says so, and nobody waits any more.
    """

    trace: Path = Path()
    rows_at_once = 256
    batch_rows = 256

    def prepare(self, rows: Sequence[Row], read: Sequence[Any]) -> list[int]:
        number = len(list(self.trace.glob(f"slice-*-{os.getpid()}-*")))
        (self.trace / f"slice-{number:03}-{os.getpid()}-{rows[0].digest[:16]}").touch()
        alone = self.trace / "alone"
        if number < ROUNDS and not alone.exists():
            try:
                until(lambda: alone.exists() or len(self.at(number)) == FEEDERS)
            except AssertionError:
                alone.touch()
        return [row.spec for row in rows]

    def at(self, number: int) -> list[Path]:
        return list(self.trace.glob(f"slice-{number:03}-*"))

    def open(self) -> Compute:
        # On a machine that does other work, rows that are on their way may take their time.
        batching.FILL_SECONDS = 2.0
        square = super().open()

        def compute(rows: Sequence[Row], values: Sequence[Any]) -> Sequence[Any]:
            (self.trace / f"batch-{len(rows)}-{values[0]}").touch()
            return square(rows, values)

        return compute


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_all_feeders_work_at_once_and_batches_are_full(inside: Path) -> None:
    import ray

    work = Together(function(feeding=1), trace=inside / "trace")
    work.trace.mkdir()
    numbers = rows(list(range(PARTS * PART_ROWS)))
    ray.init("local", num_cpus=FEEDERS, num_gpus=1, include_dashboard=False, log_to_driver=False)
    try:
        # Rows are of 8 bytes each.
        put(Path("out"), work, numbers, cut=(10**9, 8 * PART_ROWS), executor=RayExecutor(None, 1.0))
    finally:
        ray.shutdown()
    assert not (work.trace / "alone").exists(), "a feeder waited for others, who had no work"
    assert [len(work.at(number)) for number in range(ROUNDS)] == [FEEDERS] * ROUNDS
    slices = [path.name.split("-")[1:] for path in sorted(work.trace.glob("slice-*"))]
    assert len(slices) == PARTS * SLICES
    assert reads(slices, sorted(row.digest for row in numbers)) / PARTS <= 1.1
    batches = [int(path.name.split("-")[1]) for path in work.trace.glob("batch-*")]
    assert sum(batches) == len(numbers)
    assert sum(batches) / (len(batches) * work.batch_rows) >= 0.95


def reads(slices: list[list[str]], digests: list[str]) -> int:
    """How often a clean part is read, where the last one that was read is kept, as Extract does.

    Of each slice: its number among those of its feeder, the feeder, its first digest.
    """
    part_of = {digest[:16]: place // PART_ROWS for place, digest in enumerate(digests)}
    kept: dict[str, int] = {}
    count = 0
    for _, feeder, digest in slices:
        count += kept.get(feeder) != part_of[digest]
        kept[feeder] = part_of[digest]
    return count


def test_who_holds_the_gpu_does_little_for_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few lines of Python, and one copy of each slice, into memory that stands."""
    import torch

    count, vectors, copies = 256, torch.zeros((256, 1280)), list[int]()

    def free(checkpoint: Path, options: Options) -> FixedBatch:
        shape, device = (224, 224, 3), torch.device("cpu")
        return FixedBatch(lambda *_: vectors, count, shape, np.uint8, device)

    def counted(rows: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
        for run in adjacent.runs(rows):
            copies.append(len(run))
            yield run

    monkeypatch.setattr(efficientnet_lite0, "_torch", free)
    monkeypatch.setattr(_fixed_batch, "runs", counted)
    monkeypatch.setattr(batching, "FILL_SECONDS", 60.0)
    options = Options(backend="torch", batch_size=count)
    work = ProvenExtract("set", "efficientnet_lite0", options, Path(), function())
    pictures = np.random.default_rng(0).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)
    sent = [groups(work, list(part)) for part in (pictures[:200], pictures[200:])]
    opened = work.open()
    monkeypatch.setattr(ProvenExtract, "open", lambda self: opened)
    monkeypatch.setattr(worker, "die_with_parent", lambda: None)
    monkeypatch.setattr(sys, "setswitchinterval", lambda seconds: None)
    monkeypatch.setattr(worker, "_name", lambda: "holder")

    async def batch() -> list[int]:
        holder = worker.Holder(work)
        answers = await asyncio.gather(*map(holder.compute, sent))
        return [len(answer.arrays.lengths) for (answer,), _ in answers]

    assert asyncio.run(batch()) == copies == [200, 56]
    tracemalloc.start()
    asyncio.run(batch())
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert vectors.nbytes <= most < 2.25 * vectors.nbytes
    assert count <= lines(lambda: asyncio.run(batch())) <= 42 * count


def groups(work: ProvenExtract, values: Sequence[np.ndarray]) -> Any:
    """What a worker sends to a holder."""
    holder = SimpleNamespace(compute=SimpleNamespace(remote=pickle.dumps))
    return pickle.loads(worker._Ahead(work).send(holder, values).ref)


def lines(call: Callable[[], object]) -> int:
    """Lines of the pipeline that it runs, those of threads that it starts included."""
    ran: Counter[str] = Counter()

    def trace(frame: Any, event: str, argument: object) -> Any:
        path = frame.f_code.co_filename
        if "/pipeline/" not in path:
            return None
        ran[path] += event == "line"
        return trace

    before = sys.gettrace()
    threading.settrace(trace)
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
        threading.settrace(None)  # type: ignore[arg-type]
    return ran.total()
