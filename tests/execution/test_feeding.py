"""A GPU that takes no time: how busy those are that feed it, and how full its batches."""

from __future__ import annotations

import bisect
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.core.machine import gpu_time
from pipeline.execution.ray import RayExecutor
from pipeline.execution.worker import Holder
from pipeline.parts.part import Compute, Row
from tests.processes import until
from tests.toy import Square, function, put, rows

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
FEEDERS = 8


@pytest.fixture(scope="module")
def a_logical_gpu() -> Iterator[None]:
    import ray

    ray.init("local", num_cpus=FEEDERS, num_gpus=1, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@dataclass(frozen=True)
class Slow(Square):
    """Prepares each row for so long, and writes down when each slice was at work, and where."""

    trace: Path = Path()
    seconds: float = 0.002
    rows_at_once = 256
    batch_rows = 256

    def prepare(self, rows: Sequence[Row], read: Sequence[Any]) -> list[int]:
        # All begin together: how long processes take to start is not what is measured.
        (self.trace / f"{os.getpid()}.up").touch()
        until(lambda: len(list(self.trace.glob("*.up"))) == FEEDERS)
        began = time.monotonic()
        time.sleep(self.seconds * len(rows))
        path = self.trace / f"{rows[0].digest[:16]}.slice"
        path.write_text(json.dumps([os.getpid(), began, time.monotonic(), len(rows)]))
        return [row.spec for row in rows]

    def open(self) -> Compute:
        square = super().open()

        def compute(rows: Sequence[Row], values: Sequence[Any]) -> Sequence[Any]:
            (self.trace / f"{len(rows)}-{rows[0].digest[:16]}.batch").touch()
            gpu_time.add(0.001)
            return square(rows, values)

        return compute


def test_all_feeders_work_while_the_gpu_waits_and_batches_are_full(
    inside: Path, a_logical_gpu: None
) -> None:
    trace = inside / "trace"
    trace.mkdir()
    work = Slow(function(feeding=1), trace=trace)
    numbers = rows(list(range(64 * 256)))
    put(Path("out"), work, numbers, cut=(256, 10**9), executor=RayExecutor(None, 1.0))
    told = {path.stem: json.loads(path.read_text()) for path in trace.glob("*.slice")}
    slices = list(told.values())
    assert sum(count for *_, count in slices) == len(numbers)
    ended = {pid: max(end for one, _, end, _ in slices if one == pid) for pid, *_ in slices}
    assert len(ended) == FEEDERS
    # While there is work for all: until the first of them found none.
    first, last = min(began for _, began, *_ in slices), min(ended.values())
    busy = sum(max(0.0, min(end, last) - began) for _, began, end, _ in slices)
    assert busy / (last - first) / FEEDERS >= 0.9
    assert reads(told, sorted(row.digest for row in numbers)) <= 1.1
    batches = [int(path.name.split("-")[0]) for path in trace.glob("*.batch")]
    assert sum(batches) == len(numbers)
    assert sum(batches) / (len(batches) * Slow.batch_rows) >= 0.95


def reads(told: dict[str, list[Any]], digests: list[str]) -> float:
    """How often a clean part is read, where one that was read last is kept, as Extract does."""
    ends = [digest[:16] for digest in digests if int(digest[:16], 16) % 256 == 0]
    last: dict[int, int] = {}
    count = 0
    for digest, (pid, *_) in sorted(told.items(), key=lambda one: one[1][1]):
        clean_part = bisect.bisect_left(ends, digest)
        count += last.get(pid) != clean_part
        last[pid] = clean_part
    return count / (len(ends) + 1)


class Free(Square):
    """An encoder that takes no time, for pictures as Lite0 takes them."""

    batch_rows = 256

    def open(self) -> Compute:
        import torch

        from pipeline.encoders._fixed_batch import FixedBatch

        vectors = torch.zeros((256, 1280))
        run = FixedBatch(lambda *_: vectors, 256, (224, 224, 3), np.uint8, torch.device("cpu"))
        return lambda rows, values: list(zip(run(values), [1] * len(rows), strict=True))


def test_who_holds_the_gpu_spends_little_on_a_row(inside: Path, a_logical_gpu: None) -> None:
    import ray

    work, count = Free(function(holder=1)), 256
    pictures = np.random.default_rng(0).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)
    holder = ray.remote(num_cpus=0, num_gpus=1)(Holder).remote(work)
    slices = [rows(list(range(n, n + count))) for n in range(0, 32 * count, count)]
    sent = ray.put(pictures)
    ray.get([holder.compute.remote(some, sent) for some in slices[:4]])
    told = ray.get([holder.compute.remote(some, sent) for some in slices])
    ray.kill(holder)
    spent = sum(use.cpu_seconds for _, use in told)
    copying = time.process_time()
    for _ in range(4):
        pictures.copy()
    copying = (time.process_time() - copying) / 4 / count
    # On a machine that does other work too, copying the picture alone may take as long.
    assert 1000 * spent / (len(slices) * count) <= max(0.04, 2000 * copying)
