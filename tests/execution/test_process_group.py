from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.execution import process_group
from pipeline.execution.options import ExecutionOptions
from pipeline.execution.process_group import check_room, run_distributed

OPTIONS = ExecutionOptions()


def told(folder: Path, rank: int, size: int, address: str) -> tuple[int, int, str]:
    """Say who one is, to the others too."""
    (folder / f"{rank}-{os.getpid()}").write_text(address)
    return rank, size, address


def mortal(folder: Path, deaths: int, rank: int, size: int, address: str) -> int:
    """Rank 1 kills itself so often; the other then finds nobody."""
    (folder / f"{rank}-{os.getpid()}").touch()
    began = len(list(folder.glob(f"{rank}-*")))
    if rank == 1 and began <= deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    if began <= deaths:
        raise ConnectionError("the other one is gone")
    return began


def mistaken(rank: int, size: int, address: str) -> None:
    if rank == 1:
        raise PipelineError("mend this")
    raise ConnectionError("the other one is gone")


def broken(rank: int, size: int, address: str) -> None:
    raise ZeroDivisionError


def test_more_workers_than_cpus_is_said(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    here = len(os.sched_getaffinity(0))
    check_room(here, OPTIONS)
    with pytest.raises(PipelineError, match=f"{here + 1} workers need as many CPUs.*{here}"):
        check_room(here + 1, OPTIONS)
    check_room(here + 1, ExecutionOptions(ray_address="host:6379"))


def test_one_process_is_this_one(inside):
    assert run_distributed(partial(told, inside), 1, OPTIONS) == (0, 1, "")
    assert (inside / f"0-{os.getpid()}").exists()


@pytest.fixture
def two(monkeypatch):
    """Two CPUs, whatever there is."""
    monkeypatch.setattr(process_group.os, "sched_getaffinity", lambda pid: {0, 1})


@pytest.mark.slow
def test_all_meet_at_one_address_and_the_first_answers(inside, two):
    rank, size, address = run_distributed(partial(told, inside), 2, OPTIONS)
    assert (rank, size) == (0, 2)
    assert int(address.rpartition(":")[2]) > 0
    said = {path.name.split("-")[0]: path.read_text() for path in inside.glob("?-*")}
    assert said == {"0": address, "1": address}
    assert len({path.name.split("-")[1] for path in inside.glob("?-*")}) == 2


@pytest.mark.slow
def test_a_death_begins_all_anew_and_a_third_is_said(inside, two, ray_runs):
    assert run_distributed(partial(mortal, inside, 1), 2, OPTIONS) == 2
    for path in inside.glob("?-*"):
        path.unlink()
    with pytest.raises(PipelineError, match="died in each of 3 attempts"):
        run_distributed(partial(mortal, inside, 9), 2, OPTIONS)
    assert len(list(inside.glob("1-*"))) == 3


@pytest.mark.slow
def test_what_the_work_raises_is_raised(inside, two, ray_runs):
    with pytest.raises(PipelineError, match="mend this"):
        run_distributed(mistaken, 2, OPTIONS)
    with pytest.raises(ZeroDivisionError):
        run_distributed(broken, 2, OPTIONS)
