"""Several machines, as far as one can be several: nodes of their own, one in its own namespace."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipeline.core.errors import PipelineError
from pipeline.execution import cluster as cluster_module
from pipeline.execution.ray import RayExecutor
from pipeline.execution.worker import differences
from pipeline.parts.fingerprint import fingerprint
from tests.execution.reading import Disturbed, Reading, bring, put_files, serial, tree
from tests.processes import until
from tests.toy import function

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    yield cluster
    cluster.shutdown()


def test_a_cluster_that_does_not_answer_is_said(inside: Path) -> None:
    with pytest.raises(PipelineError, match=r"no Ray cluster answers at '127\.0\.0\.1:1'"):
        bring(RayExecutor(1, address="127.0.0.1:1"))


def test_a_node_that_dies_costs_time_alone(inside: Path, cluster: Any) -> None:
    first, _ = [cluster.add_node(num_cpus=1) for _ in range(2)]
    numbers = range(80)
    work = Reading(function(), folder=put_files(inside / "in", numbers), seconds=0.05)
    expected = serial(work, numbers)
    trace = inside / "trace"
    trace.mkdir()
    both = replace(work, trace=trace, together=2)
    killed = Disturbed(
        RayExecutor(None, address=cluster.address),
        4,
        lambda: cluster.remove_node(first, allow_graceful=False),
    )
    assert bring(killed, both, numbers).rows == len(numbers)
    assert tree() == expected
    # The dead node's worker, the other's, and none in its place: there was one CPU left.
    assert len(both.traced("computed")) == 2


def test_rows_travel_to_workers_that_see_no_file_of_the_driver(inside: Path, cluster: Any) -> None:
    numbers = range(-2, 20)
    work = Reading(function(), folder=put_files(inside / "in", numbers))
    expected = serial(work, numbers)
    node = hidden_node(cluster.address, inside)
    try:
        unseen = replace(work, unseen=True)
        summary = bring(RayExecutor(None, address=cluster.address), unseen, numbers)
    finally:
        node.kill()
        node.wait()
    assert tree() == expected
    assert list(inside.glob(".pipeline/tmp/*")) == []
    assert sum(use.cpu_seconds for use in summary.used) > 0


def hidden_node(address: str, folder: Path) -> subprocess.Popen[bytes]:
    """A node whose processes see an empty folder in place of the driver's."""
    import ray

    command = Path(sys.executable).with_name("ray")
    hide = f"mount -t tmpfs none {shlex.quote(str(folder))}"
    start = f"exec {command} start --address={address} --num-cpus=2 --block"
    if subprocess.run(["unshare", "-m", "sh", "-c", hide], capture_output=True).returncode:
        pytest.skip("mounting in a namespace of one's own needs root")
    node = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", f"cd / && {hide} && {start}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ},
    )
    ray.init(address=address, logging_level="ERROR", log_to_driver=False)
    until(lambda: sum(node["Alive"] for node in ray.nodes()) == 2)
    ray.shutdown()
    return node


def test_workers_of_another_revision_are_named() -> None:
    asked = function()
    assert differences(asked) == ()
    changed = replace(
        asked, code={**asked.code, "pipeline.parts.part": "0"}, libraries={"numpy": "0"}
    )
    assert differences(changed)[0] == "pipeline.parts.part"
    # What torch computes is named by where it does.
    assert differences(fingerprint("toy", ["pipeline.parts.part"], {}, device="cpu")) == ()
    assert differences(replace(asked, processor="another")) == ("processor",)


def test_a_worker_that_feeds_a_gpu_is_asked_for_no_gpu() -> None:
    plain = function()
    asked = replace(
        plain,
        processor=f"{plain.processor} sm_90 132 SMs",
        libraries={**plain.libraries, "torch": "2.13.0+cu130"},
    )
    assert "processor" in differences(asked)
    assert differences(asked, computes=False) == ()
    assert differences(replace(asked, processor="another sm_90"), computes=False) == ("processor",)
    older = replace(asked, libraries={**asked.libraries, "pyarrow": "0"})
    assert differences(older, computes=False) == ("pyarrow",)


def cluster_whose_nodes_raise(error: Exception) -> ModuleType:
    """Ray as it is once it is set up, and fails."""
    ray = ModuleType("ray")

    def fail() -> None:
        raise error

    vars(ray).update(is_initialized=lambda: True, nodes=fail)
    return ray


@pytest.mark.parametrize(
    ("error_of", "message"),
    [
        (
            lambda exceptions: exceptions.GetTimeoutError("the head is slow"),
            r"^toy: Ray failed \(GetTimeoutError: the head is slow\)\. Run again: what was finished"
            " stands$",
        ),
        (lambda exceptions: exceptions.RayTaskError("square", "", ValueError()), None),
        (lambda exceptions: ValueError("no number"), None),
    ],
    ids=["Ray itself", "a task", "the driver"],
)
def test_what_ray_says_of_itself_is_told_of_the_stage_and_the_works_own_let_through(
    inside: Path, monkeypatch: pytest.MonkeyPatch, error_of: Any, message: str | None
) -> None:
    from ray import exceptions

    error = error_of(exceptions)
    monkeypatch.setitem(sys.modules, "ray", cluster_whose_nodes_raise(error))
    with pytest.raises(PipelineError if message else type(error), match=message) as raised:
        bring(RayExecutor(1))
    assert error in (raised.value, raised.value.__cause__)


def test_where_ray_is_absent_the_error_is_the_true_one(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(cluster_module, "authenticate", full)
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "ray.exceptions", raising=False)
    with pytest.raises(OSError, match="the disk is full"):
        bring(RayExecutor(1))
