from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import PipelineError
from pipeline.execution.placement import Placement, place

NODES = st.lists(
    st.fixed_dictionaries({"CPU": st.integers(0, 16), "GPU": st.integers(0, 4)}), max_size=4
)


def test_without_gpus_a_process_for_each_cpu_or_part() -> None:
    nodes = [{"CPU": 4.0}, {"CPU": 2.0}]
    assert place("toy", nodes, None, 0.0, 100) == Placement(6, 0.0)
    assert place("toy", nodes, 3, 0.0, 100) == Placement(3, 0.0)
    assert place("toy", nodes, None, 0.0, 2) == Placement(2, 0.0)


def test_with_gpus_every_cpu_feeds_and_the_gpus_are_shared() -> None:
    node = {"CPU": 8.0, "GPU": 2.0}
    assert place("toy", [node], None, 1.0, 100) == Placement(8, 1.0, holders=2)
    assert place("toy", [node], None, 0.5, 100) == Placement(8, 0.5, holders=4)
    assert place("toy", [node], None, 0.7, 100) == Placement(8, 0.7, holders=2)
    assert place("toy", [node], 1, 0.5, 100) == Placement(1, 0.5, holders=1)
    assert place("toy", [node], None, 1.0, 1) == Placement(1, 1.0, holders=1)
    assert place("toy", [{"CPU": 16.0, "GPU": 1.0}] + [{"CPU": 16.0}] * 16, None, 1.0, 10**4) == (
        Placement(272, 1.0, holders=1)
    )
    assert place("toy", [{"CPU": 4.0}, {"GPU": 1.0}], None, 1.0, 9) == Placement(4, 1.0, holders=1)


@pytest.mark.parametrize(
    ("nodes", "gpus", "message"),
    [
        ([{"CPU": 4.0}], 1.0, "needs 1 GPU, the Ray cluster has 0 GPU;"),
        ([{"CPU": 0.0}], 0.0, "needs 1 CPU, the Ray cluster has 0 CPU;"),
        ([{"CPU": 4.0, "GPU": 1.0}] * 2, 2.0, "has 8 CPU, 2 GPU, but no node has them together"),
    ],
)
def test_what_is_missing_is_said(nodes: list[dict[str, float]], gpus: float, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        place("toy", nodes, None, gpus, 1)


@given(NODES, st.integers(1, 40) | st.none(), st.sampled_from([0.0, 0.25, 0.7, 1.0, 2.0]))
def test_never_more_than_there_is(
    nodes: list[dict[str, float]], workers: int | None, gpus: float
) -> None:
    try:
        placed = place("toy", nodes, workers, gpus, 1000)
    except PipelineError:
        return
    assert placed.workers >= 1
    assert placed.workers <= sum(node["CPU"] for node in nodes)
    assert workers is None or placed.workers <= workers
    assert (placed.holders >= 1) == (gpus > 0)
    assert placed.holders * gpus <= sum(node["GPU"] for node in nodes) + 1e-9
