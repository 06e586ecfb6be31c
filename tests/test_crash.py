"""Killed at any moment, a run resumes: nothing finished is made again, and the end is the same."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.dataset import environment, put_project, run, tree

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def parts(folder: Path) -> dict[Path, int]:
    """Part → inode, which tells whether it was written again."""
    return {path: path.stat().st_ino for path in (folder / "data").rglob("[!.]*.parquet")}


def at_work(folder: Path) -> list[psutil.Process]:
    """Processes, other than the test's own, whose working directory is the project."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and Path(process.cwd()) == folder:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def kill_after(folder: Path, finished: int) -> None:
    """Start `dvc repro` and SIGKILL it alone once that many parts are there."""
    dvc = subprocess.Popen(
        ["dvc", "repro"],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: len(parts(folder)) >= finished)
    dvc.send_signal(signal.SIGKILL)
    dvc.wait()


def until(condition) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)


def test_a_killed_run_leaves_no_process_and_resumes_to_the_same_bytes(
    project: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    put_project(other, executor="processes", workers=2)
    shutil.copytree(project / "data" / "raw", other / "data" / "raw")
    for finished in (1, 7, 25):
        kill_after(other, finished)
        until(lambda: not at_work(other))
    before = parts(other)
    assert before
    run(other, "dvc", "repro")
    after = parts(other)
    assert {path: after.get(path) for path in before} == before
    assert tree(other) == tree(project)
    assert not list((other / "data").rglob("*.tmp"))
