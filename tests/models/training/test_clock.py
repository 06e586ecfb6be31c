from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from pipeline.models.training import throughput
from pipeline.models.training.throughput import Throughput


@pytest.mark.parametrize(("wait", "work"), [(2.0, 0.5), (0.0, 0.5), (2.0, 0.0)])
def test_waiting_and_computing_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, wait: float, work: float
) -> None:
    now = [100.0]
    monkeypatch.setattr(throughput, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def batches() -> Iterator[int]:
        for number in range(5):
            now[0] += wait
            yield number

    clock = Throughput()
    for _ in clock.timed(batches()):
        now[0] += work
    assert (clock.waited, clock.computed) == (5 * wait, 5 * work)
    assert clock.figures["data_wait"] == wait / (wait + work)


def test_nothing_done_is_no_share() -> None:
    assert Throughput().figures["data_wait"] == 0
