from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pipeline.models.training.throughput import Throughput


def slow(seconds: float) -> Iterator[int]:
    for number in range(5):
        time.sleep(seconds)
        yield number


@pytest.mark.parametrize(("wait", "work"), [(0.02, 0.0), (0.0, 0.02)])
def test_waiting_and_computing_are_told_apart(wait, work):
    clock = Throughput()
    for _ in clock.timed(slow(wait)):
        time.sleep(work)
    assert clock.waited >= 5 * wait
    assert clock.computed >= 5 * work
    share = clock.figures["data_wait"]
    assert share > 0.8 if wait else share < 0.2


def test_nothing_done_is_no_share():
    assert Throughput().figures["data_wait"] == 0
