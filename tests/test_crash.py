"""Killed at any moment, a run resumes: nothing finished is made again, and the end is the same."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import yaml

from pipeline.check import damaged_lockfile, damaged_rwlock
from tests.dataset import environment, put_project, run, tree
from tests.processes import at_work, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def parts(folder: Path) -> dict[Path, int]:
    """Part → inode, which tells whether it was written again."""
    return {path: path.stat().st_ino for path in (folder / "data").rglob("[!.]*.parquet")}


def start(folder: Path, *targets: str) -> psutil.Popen:
    return psutil.Popen(
        ["dvc", "repro", *targets],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def below(dvc: psutil.Popen, name: str) -> list[psutil.Process]:
    """The processes that a run has started, by a word of their command."""
    found = []
    for process in at_work(Path(dvc.cwd())):
        try:
            if process.pid != dvc.pid and name in " ".join(process.cmdline()):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


TARGET = "extract@mfcc"
# Whom to kill: the word by which a process is found, and how many times in the suite.
VICTIMS = {"dvc": ("", 24), "stage": ("pipeline stage", 26)}


def change(folder: Path, level: float) -> None:
    """Give the run something to do."""
    knobs = yaml.safe_load((folder / "params.yaml").read_text())
    knobs["clean"]["audio"]["level_dbfs"] = level
    (folder / "params.yaml").write_text(yaml.safe_dump(knobs))


def kill_one(folder: Path, word: str, rng: random.Random, seconds: float) -> bool:
    """Start a run and SIGKILL one of its processes within `seconds`; False if it ended before."""
    dvc = start(folder, TARGET)
    try:
        with contextlib.suppress(psutil.TimeoutExpired):
            dvc.wait(rng.uniform(0.0, seconds))
            return False
        victims = [dvc]
        if word:
            until(lambda: dvc.poll() is not None or below(dvc, word))
            victims = below(dvc, word)
        rng.choice(victims).send_signal(signal.SIGKILL)
        return True
    except (psutil.NoSuchProcess, IndexError):  # no victim is left
        return False
    finally:
        dvc.wait(timeout=300)


def heal(folder: Path) -> None:
    """Do what `pipeline check` says where DVC was killed over what it wrote."""
    for path, damage in ((".dvc/tmp/rwlock", damaged_rwlock), ("dvc.lock", damaged_lockfile)):
        if damage(folder / path):
            with pytest.raises(AssertionError, match=f"{path} is damaged.*remove it"):
                run(folder, "pipeline", "check")
            (folder / path).unlink()


@pytest.mark.parametrize("victim", VICTIMS)
def test_killed_at_random_moments_it_resumes_to_the_same_bytes(
    project: Path, tmp_path: Path, victim: str
) -> None:
    other = tmp_path / "other"
    put_project(other, executor="processes", workers=2)
    shutil.copytree(project / "data" / "raw", other / "data" / "raw")
    word, times = VICTIMS[victim]
    rng, killed = random.Random(victim), 0
    seconds = 10.0
    for attempt in range(4 * times):
        change(other, -23.0 - attempt % 29)
        begun = time.monotonic()
        if kill_one(other, word, rng, seconds):
            killed += 1
        else:  # this is what a run takes here, and the next blow falls within it
            seconds = time.monotonic() - begun
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
