from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import parts
from pipeline.errors import PipelineError
from pipeline.execution.ray import RayExecutor
from tests.toy import Square, function, put, rows

pytestmark = pytest.mark.slow


@pytest.fixture
def two_logical_gpus() -> Iterator[None]:
    import ray

    ray.init(num_cpus=2, num_gpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def bring(executor: RayExecutor) -> parts.Summary:
    work = Square(function())
    return put(Path("out"), work, rows(list(range(30))), executor=executor)


def test_a_running_cluster_is_used_and_left_running(inside: Path, two_logical_gpus: None) -> None:
    import ray

    assert bring(RayExecutor(2, gpus_per_worker=0.5)).rows == 30
    assert ray.is_initialized()


def test_more_workers_than_there_is_room_for_do_not_wait_for_ever(
    inside: Path, two_logical_gpus: None
) -> None:
    assert bring(RayExecutor(8, gpus_per_worker=1)).rows == 30
    assert bring(RayExecutor(8, gpus_per_worker=0.7)).rows == 30


def test_what_the_cluster_lacks_is_said_before_work_begins(
    inside: Path, two_logical_gpus: None
) -> None:
    with pytest.raises(PipelineError, match=r"needs 4 GPU, the Ray cluster has 2 GPU"):
        bring(RayExecutor(1, gpus_per_worker=4))


def test_a_cluster_that_does_not_answer_is_said(inside: Path) -> None:
    with pytest.raises(PipelineError, match=r"no Ray cluster answers at '127\.0\.0\.1:1'"):
        bring(RayExecutor(1, address="127.0.0.1:1"))
