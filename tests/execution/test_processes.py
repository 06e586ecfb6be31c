"""What becomes of a part on which worker processes die."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.machine.environment import ONE_THREAD
from pipeline.core.machine.shortage import DeviceFailure, Shortage
from pipeline.execution.processes import Processes
from pipeline.parts import manifest
from pipeline.parts.job import CompletedPart, Job
from pipeline.parts.part import Work
from pipeline.parts.serial import Serial
from pipeline.parts.summary import Summary
from tests.processes import until
from tests.toy import OnGpu, Square, Starved, function, put, rows

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
OUT = Path("out")


def bring(found: list[int], timeout: float = 600, **how: object) -> Summary:
    work = Square(function(), **how)  # type: ignore[arg-type]
    return put(OUT, work, rows(found), executor=Processes(2, timeout), limit=0.5)


def reasons() -> dict[str, str]:
    return {reject.subject: reject.reason for reject in manifest.rejects(OUT.joinpath)}


class Environment(Square):
    """Tells for a square how many variables of one thread the worker has."""

    def _square(self, number: int) -> int:
        return sum(os.environ.get(name) == value for name, value in ONE_THREAD.items())


def test_workers_stand_under_what_their_parent_established(inside: Path) -> None:
    put(OUT, Environment(function()), rows(list(range(8))), executor=Processes(2))
    assert set(manifest.read(OUT)["square"].to_pylist()) == {len(ONE_THREAD)}


def test_workers_do_not_run_anew_what_started_their_parent(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = ModuleType("__main__")
    script.__file__ = str(inside / "script.py")
    Path("script.py").write_text("from pathlib import Path\nPath('ran').touch()\n")
    monkeypatch.setitem(sys.modules, "__main__", script)
    put(OUT, Square(function()), rows([1]), executor=Processes(1))
    assert not Path("ran").exists()
    assert sys.modules["__main__"] is script


def test_workers_know_a_work_whose_class_stands_in_a_script(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "from tests.toy import Square\nclass Own(Square): pass\n"
    Path("script.py").write_text(code)
    script = ModuleType("__main__")
    script.__file__ = str(inside / "script.py")
    exec(code, vars(script))
    monkeypatch.setitem(sys.modules, "__main__", script)
    assert put(OUT, script.Own(function()), rows([1]), executor=Processes(1)).computed_rows == 1


def test_a_row_that_crashes_its_worker_costs_itself(inside: Path) -> None:
    summary = bring(list(range(12)), harms_on=7, harm=signal.SIGSEGV)
    assert (summary.rows, summary.reasons) == (11, {"crashed": 1})
    assert reasons() == {rows([7])[0].digest: "crashed"}
    assert {use.worker for use in summary.used}
    summary = bring(list(range(12)))
    assert (summary.rows, summary.computed_rows) == (12, 1)


def test_where_a_gpu_fails_its_worker_ends_and_the_second_time_the_stage(inside: Path) -> None:
    failed = inside / "failed"
    failed.mkdir()
    work = OnGpu(function(), fails_on=7, seen=failed, once=inside / "once")
    summary = put(OUT, work, rows(list(range(12))), executor=Processes(1))
    assert (summary.rows, summary.rejected) == (12, 0)
    assert len(list(failed.iterdir())) == 1
    work = OnGpu(function(again=True), fails_on=7, seen=failed)
    with pytest.raises(DeviceFailure, match=r"the GPU failed .*CUBLAS_STATUS_ALLOC_FAILED"):
        put(OUT, work, rows(list(range(12))), executor=Processes(1))
    assert len(list(failed.iterdir())) == 1 + 2  # each time another process


def test_a_killed_worker_costs_no_row(inside: Path) -> None:
    summary = bring(list(range(30)), harms_on=7, harm=signal.SIGKILL, once=inside / "killed")
    assert (inside / "killed").exists()
    assert (summary.rows, summary.rejected) == (30, 0)
    whole = {path.name: path.read_bytes() for path in OUT.iterdir()}
    for path in OUT.iterdir():
        path.unlink()
    put(OUT, Square(function()), rows(list(range(30))), executor=Serial())
    assert {path.name: path.read_bytes() for path in OUT.iterdir()} == whole


@dataclass(frozen=True)
class Idle(Processes):
    """Kills a worker each time one has told its part and not yet got another."""

    killed: set[str] = field(default_factory=set)

    def run(self, work: Work, jobs: Sequence[Job], out: Path) -> Iterator[CompletedPart]:
        for made in super().run(work, jobs, out):
            if len(self.killed) < 3:
                pid = int(made.use.worker)
                os.kill(pid, signal.SIGKILL)
                # A zombie's threads may still hold its end of the pipe.
                until(lambda pid=pid: not psutil.pid_exists(pid))
                self.killed.add(made.use.worker)
            yield made


def test_a_worker_that_dies_idle_is_replaced_and_blames_no_part(
    inside: Path, caplog: pytest.LogCaptureFixture
) -> None:
    executor = Idle(1)
    summary = put(OUT, Square(function()), rows(list(range(30))), executor=executor)
    assert (summary.rows, summary.rejected) == (30, 0)
    assert len(executor.killed) == 3
    assert "it is done again" not in caplog.text


def test_a_part_whose_workers_are_always_killed_stops_the_stage_and_the_rest_stands(
    inside: Path,
) -> None:
    with pytest.raises(PipelineError, match=r"died 3 times on part .*SIGKILL"):
        bring(list(range(20)), harms_on=7, harm=signal.SIGKILL)
    assert bring(list(range(20))).rows == 20


def test_a_part_that_lacked_memory_once_is_done_again(inside: Path) -> None:
    work = Starved(function(), harms_on=7, once=inside / "starved")
    summary = put(OUT, work, rows(list(range(30))), executor=Processes(2))
    assert (inside / "starved").exists()
    assert (summary.rows, summary.rejected) == (30, 0)


def test_a_part_that_always_lacks_memory_stops_the_stage_and_refuses_nothing(inside: Path) -> None:
    for executor in (Processes(2), Serial()):
        work = Starved(function(), harms_on=7)
        with pytest.raises(Shortage, match=r"fell short \(MemoryError: not enough"):
            put(OUT, work, rows(list(range(20))), executor=executor, limit=1.0)
    summary = bring(list(range(20)))
    assert (summary.rows, summary.rejected) == (20, 0)


def test_a_row_that_never_ends_is_found(inside: Path) -> None:
    summary = bring([1, 7], timeout=4.0, harms_on=7)
    assert (summary.rows, summary.reasons) == (1, {"timed_out": 1})
    summary = bring([1, 7], timeout=60.0)
    assert (summary.rows, summary.computed_rows) == (2, 1)


def test_workers_that_cannot_be_started_are_told(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(process: object) -> None:
        raise EOFError

    monkeypatch.setattr("multiprocessing.context.ForkServerProcess.start", start)
    with pytest.raises(PipelineError, match=r"no worker process could be started \(EOFError\)"):
        bring([1, 7])


def test_an_error_of_a_worker_is_raised_here(inside: Path) -> None:
    with pytest.raises(PipelineError, match="told to break"):
        bring([1, 7], breaks_on=7)


def test_a_path_too_long_for_a_socket_is_called_that(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: object) -> None:
        raise OSError("AF_UNIX path too long")

    monkeypatch.setattr("multiprocessing.context.ForkServerProcess.start", start)
    with pytest.raises(PipelineError, match="Set TMPDIR to a shorter one"):
        bring([1])
