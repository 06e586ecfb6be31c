"""Killed at any moment, a run resumes: nothing finished is made again, and the end is the same."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml

from tests.dataset import environment, put_project, run, tree

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


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


def start(folder: Path, *targets: str) -> psutil.Popen:
    return psutil.Popen(
        ["dvc", "repro", *targets],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def until(condition: Callable[[], object], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)


def below(dvc: psutil.Popen, name: str) -> list[psutil.Process]:
    """The processes that a run has started, by a word of their command."""
    found = []
    for process in [*dvc.children(recursive=True), *_detached(dvc)]:
        try:
            if name in " ".join(process.cmdline()):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def _detached(dvc: psutil.Popen) -> list[psutil.Process]:
    """What a run has started and let go, such as Ray's processes."""
    own = Path(dvc.cwd())
    found = [process for process in at_work(own) if process.pid != dvc.pid]
    return [*found, *(child for process in found for child in process.children(recursive=True))]


TARGET = "extract@mfcc"
# Whom to kill: the word by which a process is found, and how many times in the suite.
VICTIMS = {"dvc": ("", 24), "stage": ("pipeline stage", 26)}


def change(folder: Path, level: float) -> None:
    """Give the run something to do."""
    knobs = yaml.safe_load((folder / "params.yaml").read_text())
    knobs["clean"]["audio"]["level_dbfs"] = level
    (folder / "params.yaml").write_text(yaml.safe_dump(knobs))


def duration(folder: Path) -> float:
    """Seconds that an unbroken run takes here: a killer must know within what time to strike."""
    begun = time.monotonic()
    start(folder, TARGET).wait(timeout=300)
    return time.monotonic() - begun


def kill_one(folder: Path, word: str, rng: random.Random, seconds: float) -> bool:
    """Start a run and SIGKILL one of its processes at some moment; False if it came too late.

    The moment lies within `seconds`; a process found by `word` is killed soon after it came.
    """
    dvc = start(folder, TARGET)
    try:
        victims = [dvc]
        if word:
            time.sleep(rng.uniform(0.0, 1.0))
            deadline = time.monotonic() + 60
            while not (victims := below(dvc, word)):
                if dvc.poll() is not None or time.monotonic() > deadline:
                    return False
                time.sleep(0.01)
        time.sleep(rng.uniform(0.0, 0.7 if word else seconds))
        victim = rng.choice(victims)
        if dvc.poll() is not None or not victim.is_running():
            return False
        victim.send_signal(signal.SIGKILL)
        return True
    except psutil.NoSuchProcess:
        return False
    finally:
        if not word:
            with contextlib.suppress(psutil.NoSuchProcess):  # it has ended by itself
                dvc.kill()
        dvc.wait(timeout=300)


def heal(folder: Path) -> None:
    """Do what `pipeline check` says where DVC was killed over its own lock."""
    lock = folder / ".dvc" / "tmp" / "rwlock"
    try:
        json.loads(lock.read_bytes() if lock.is_file() else "{}")
    except ValueError:
        with pytest.raises(AssertionError, match=r"rwlock is damaged.*remove it"):
            run(folder, "pipeline", "check")
        lock.unlink()


@pytest.mark.parametrize("victim", VICTIMS)
def test_killed_at_random_moments_it_resumes_to_the_same_bytes(
    project: Path, tmp_path: Path, victim: str
) -> None:
    other = tmp_path / "other"
    put_project(other, executor="processes", workers=2)
    shutil.copytree(project / "data" / "raw", other / "data" / "raw")
    word, times = VICTIMS[victim]
    rng, killed = random.Random(victim), 0
    change(other, -22.0)
    seconds = duration(other)
    for attempt in range(4 * times):
        change(other, -23.0 - attempt % 29)
        killed += kill_one(other, word, rng, seconds)
        until(lambda: not at_work(other), 60)
        heal(other)
        if killed == times:
            break
    assert killed == times
    change(other, -23.0)
    before = parts(other)
    run(other, "dvc", "repro")
    after = parts(other)
    assert all(after[path] == inode for path, inode in before.items() if path in after)
    assert tree(other) == tree(project)
    assert not list((other / "data").rglob("*.tmp"))
    until(lambda: not at_work(other), 60)


def test_a_failed_run_can_be_left_by_checkout_and_by_switch(project: Path, tmp_path: Path) -> None:
    """What a failed run left is no obstacle: `dvc checkout --force` brings the last state back."""
    other = tmp_path / "other"
    shutil.copytree(project, other, symlinks=True)
    before = tree(other)
    author = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    run(other, "git", "add", "--all")
    run(other, "git", *author, "commit", "--quiet", "--message", "made")
    change(other, -19.0)
    dvc = start(other)
    until(lambda: len(parts(other)) > len([p for p in before if p.endswith(".parquet")]))
    dvc.kill()
    dvc.wait()
    until(lambda: not at_work(other))
    run(other, "git", "checkout", "--quiet", "params.yaml", "dvc.lock")
    run(other, "dvc", "checkout", "--force")
    assert tree(other) == before
    assert "up to date" in run(other, "dvc", "status").stdout

    run(other, "git", "switch", "--quiet", "--create", "louder")
    change(other, -19.0)
    run(other, "dvc", "repro", "clean@audio")
    run(other, "git", *author, "commit", "--quiet", "--all", "--message", "louder")
    run(other, "git", "switch", "--quiet", "-")
    run(other, "dvc", "checkout", "--force")
    assert tree(other) == before
