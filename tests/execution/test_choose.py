from __future__ import annotations

import os

import pytest

from pipeline.execution.choose import RAY_FROM_SECONDS, choose
from pipeline.execution.options import ExecutionOptions
from pipeline.execution.processes import Processes
from pipeline.execution.ray import RayExecutor
from pipeline.parts.serial import Serial


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def options(**given: object) -> ExecutionOptions:
    return ExecutionOptions.model_validate({"workers": 2, **given})


def test_little_work_stays_here_more_is_spread_much_goes_to_ray() -> None:
    assert choose(options(), 0.1) == Serial()
    assert choose(options(), 10.0) == Processes(2)
    assert choose(options(), RAY_FROM_SECONDS) == RayExecutor(2)
    assert choose(options(workers=1), 10.0) == Serial()


def test_a_gpu_is_shared_by_ray_alone_and_for_much_work() -> None:
    assert choose(options(gpus_per_worker=0.5), RAY_FROM_SECONDS, "cuda") == RayExecutor(2, 0.5)
    assert choose(options(), 0.1, "cuda") == choose(options(), 10.0, "cuda") == Serial()
    assert choose(options(), 10.0, "cuda", foreign=True) == Processes(1)
    assert choose(options(executor="processes"), 1e6, "cuda") == Processes(1)
    assert choose(options(executor="ray"), 0.1, "cuda") == RayExecutor(2, 1.0)


def test_a_cluster_asks_for_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose(options(ray_address="there:1"), 0.1, "cuda") == RayExecutor(2, 1.0, "there:1")
    assert choose(options(ray_address="there:1"), 0.1) == RayExecutor(2, 0.0, "there:1")
    monkeypatch.setenv("RAY_ADDRESS", "here:2")
    assert choose(options(ray_address="there:1"), 0.1) == RayExecutor(2, 0.0, "here:2")


def test_a_named_executor_is_taken() -> None:
    assert choose(options(executor="serial"), 1e6) == Serial()
    assert choose(options(executor="processes"), 0.0) == Processes(2)
    assert choose(options(executor="ray"), 0.0) == RayExecutor(2)


def test_on_a_cluster_its_cpus_count_and_not_this_machines() -> None:
    assert choose(options(workers=None, ray_address="there:1"), 0.1) == RayExecutor(
        None, 0.0, "there:1"
    )
    here = choose(options(workers=None, executor="ray", timeout=9.0), 0.1)
    assert isinstance(here, RayExecutor)
    assert here.workers == len(os.sched_getaffinity(0))
    assert here.timeout == 9.0
