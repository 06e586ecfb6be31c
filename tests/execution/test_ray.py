from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.machine.shortage import Shortage
from pipeline.execution.processes import Processes
from pipeline.execution.ray import RayExecutor, _token
from tests.execution.reading import Disturbed, Reading, bring, put_files, serial, tree
from tests.toy import OnGpu, Square, Starved, function, put, rows

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def two_logical_gpus() -> Iterator[None]:
    import ray

    ray.init("local", num_cpus=4, num_gpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def test_where_there_are_gpus_other_processes_decode_for_those_that_encode(
    inside: Path, two_logical_gpus: None
) -> None:
    import ray

    numbers = range(-3, 40)
    work = Reading(function(), folder=put_files(inside / "in", numbers))
    expected = serial(work, numbers)
    trace = inside / "trace"
    trace.mkdir()
    traced = replace(work, trace=trace, gpu_seconds=0.01)
    summary = bring(RayExecutor(4, gpus_per_worker=0.5), traced, numbers)
    assert tree() == expected
    prepared, computed = traced.traced("prepared"), traced.traced("computed")
    assert 1 <= len(prepared) <= 4  # on a busy machine the first reads all before others are up
    assert 1 <= len(computed) <= 4
    assert not prepared & computed
    assert ray.is_initialized()
    assert {use.worker.split("/")[1] for use in summary.used} <= prepared
    assert {use.holder.split("/")[1] for use in summary.used} <= computed
    used = sum(use.gpu_seconds for use in summary.used)
    assert used == pytest.approx(0.01 * len(numbers))
    assert sum(use.cpu_seconds for use in summary.used) > 0
    assert all(use.peak_mb > 10 for use in summary.used)


def test_more_workers_than_there_is_room_for_do_not_wait_for_ever(
    inside: Path, two_logical_gpus: None
) -> None:
    assert bring(RayExecutor(8, gpus_per_worker=0.7)).rows == 30


def test_what_the_cluster_lacks_is_said_before_work_begins(
    inside: Path, two_logical_gpus: None
) -> None:
    with pytest.raises(PipelineError, match=r"needs 4 GPU, the Ray cluster has 2 GPU"):
        bring(RayExecutor(1, gpus_per_worker=4))


def test_a_row_that_crashes_is_refused_as_in_processes_and_the_others_kept(
    inside: Path, two_logical_gpus: None
) -> None:
    work = Square(function(), harms_on=7, harm=signal.SIGSEGV)
    summary = bring(Processes(2), work, range(12))
    assert summary.reasons == {"crashed": 1}
    expected = tree()
    for path in Path("out").iterdir():
        path.unlink()
    assert bring(RayExecutor(2), work, range(12)).reasons == {"crashed": 1}
    assert tree() == expected


def test_a_killed_worker_costs_no_row(inside: Path, two_logical_gpus: None) -> None:
    work = Square(function(), harms_on=7, harm=signal.SIGKILL, once=inside / "once")
    expected = serial(Square(function()))
    assert bring(RayExecutor(2), work).rejected == 0
    assert (inside / "once").exists()
    assert tree() == expected


def test_a_part_that_lacked_memory_is_done_again_and_at_last_stops_the_stage(
    inside: Path, two_logical_gpus: None
) -> None:
    for gpus in (0.0, 0.5):
        once = inside / f"starved{gpus}"
        work = Starved(function(gpus=gpus), harms_on=7, once=once)
        summary = put(Path("out"), work, rows(list(range(20))), executor=RayExecutor(2, gpus))
        assert once.exists()
        assert (summary.rows, summary.rejected) == (20, 0)
    work = Starved(function(gpus="always"), harms_on=7)
    with pytest.raises(Shortage, match=r"fell short \(MemoryError: not enough"):
        put(Path("out"), work, rows(list(range(20))), executor=RayExecutor(2))


def test_a_holder_that_fails_or_dies_is_replaced_and_no_row_is_refused(
    inside: Path, two_logical_gpus: None
) -> None:
    failed = inside / "failed"
    failed.mkdir()
    executor, numbers = RayExecutor(2, gpus_per_worker=1.0), rows(list(range(20)))
    work = OnGpu(function(of="fails"), fails_on=7, seen=failed, once=inside / "failed-once")
    assert put(Path("out"), work, numbers, executor=executor).rows == 20
    mortal = Square(function(of="dies"), harms_on=7, harm=signal.SIGKILL, once=inside / "died-once")
    assert put(Path("out"), mortal, numbers, executor=executor).rows == 20
    assert (inside / "died-once").exists()
    work = OnGpu(function(of="always"), fails_on=7, seen=failed)
    with pytest.raises(Shortage, match=r"the GPU failed .*CUBLAS_STATUS_ALLOC_FAILED"):
        put(Path("out"), work, numbers, executor=executor)
    assert len(list(failed.iterdir())) >= 1 + 2


def test_an_overdue_part_is_done_again(inside: Path, two_logical_gpus: None) -> None:
    work = Square(function(), harms_on=7, once=inside / "once")
    expected = serial(Square(function()))
    assert bring(RayExecutor(2, timeout=6.0), work).rejected == 0
    assert (inside / "once").exists()
    assert tree() == expected


def test_an_error_of_the_user_ends_the_stage(inside: Path, two_logical_gpus: None) -> None:
    with pytest.raises(PipelineError, match=r"^told to break$"):
        bring(RayExecutor(2), Square(function(), breaks_on=7))


def test_ctrl_c_ends_the_workers_and_what_is_finished_stands(
    inside: Path, two_logical_gpus: None
) -> None:
    import ray

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring(Disturbed(RayExecutor(2), 3, interrupt))
    assert ray.is_initialized()
    summary = bring(RayExecutor(2))
    assert summary.reused >= 2


def test_what_a_killed_driver_leaves_lies_in_no_output(inside: Path) -> None:
    Path(".pipeline").mkdir()
    with _token(Path("data/assets/image").absolute()) as token:
        assert token is not None
        assert token.is_seen()
        assert [path for path in Path("data").rglob("*") if path.is_file()] == []
    assert not token.is_seen()
