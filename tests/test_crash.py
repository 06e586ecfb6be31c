"""Killed at any moment, a run resumes: nothing finished is made again, and the end is the same."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
import yaml

from pipeline.parts.manifest import load_manifest
from pipeline.stages.check import damaged_lockfile, damaged_rwlock
from tests.dataset import environment, put_project, run, tree
from tests.processes import at_work, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def parts(folder: Path) -> dict[Path, int]:
    """Part → inode, which tells whether it was written again."""
    return {path: path.stat().st_ino for path in (folder / "data").rglob("[!.]*.parquet")}


def start(folder: Path, *command: str) -> psutil.Popen:
    return psutil.Popen(
        command,
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def below(started: psutil.Popen, name: str) -> list[psutil.Process]:
    """The processes that another has started, by a word of their command."""
    named = []
    for process in at_work(Path(started.cwd())):
        try:
            if process.pid != started.pid and name in " ".join(process.cmdline()):
                named.append(process)
        except psutil.NoSuchProcess:
            continue
    return named


REPRO = ("dvc", "repro", "extract@mfcc")
# What DVC would start, without the seconds that it takes to: most blows fall into work.
STAGES = ("sh", "-c", "pipeline stage clean audio && pipeline stage extract mfcc")
# Whom to kill: what is run, the word by which a process of it is found, and how many times.
VICTIMS = {"dvc": (REPRO, "", 24), "stage": (STAGES, "pipeline stage", 26)}


def change(folder: Path, level: float) -> None:
    """Give the run something to do."""
    settings = yaml.safe_load((folder / "params.yaml").read_text())
    settings["clean"]["audio"]["level_dbfs"] = level
    (folder / "params.yaml").write_text(yaml.safe_dump(settings))


def kill_one(
    folder: Path, command: Sequence[str], word: str, rng: random.Random, seconds: float
) -> bool:
    """Run a command and SIGKILL one of its processes within `seconds`; False if it ended before."""
    started = start(folder, *command)
    try:
        with contextlib.suppress(psutil.TimeoutExpired):
            started.wait(rng.uniform(0.0, seconds))
            return False
        victims = [started]
        if word:
            until(lambda: started.poll() is not None or below(started, word))
            victims = below(started, word)
        rng.choice(victims).send_signal(signal.SIGKILL)
        return True
    except (psutil.NoSuchProcess, IndexError):  # no victim is left
        return False
    finally:
        started.wait(timeout=300)


def assert_made_alike(folder: Path, project: Path) -> None:
    """What has been made of the features of sound is what the project holds."""
    made, expected = tree(folder), tree(project)
    assert any(name.startswith("features/mfcc/") for name in made)
    assert made == {name: expected[name] for name in made}


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
    command, word, times = VICTIMS[victim]
    run(other, "pipeline", "stage", "ingest")
    rng, killed = random.Random(victim), 0
    seconds = 10.0
    for attempt in range(4 * times):
        change(other, -23.0 - attempt % 29)
        begun = time.monotonic()
        if kill_one(other, command, word, rng, seconds):
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
    run(other, *REPRO)
    after = parts(other)
    assert all(after[path] == inode for path, inode in before.items() if path in after)
    assert_made_alike(other, project)
    assert not list((other / "data").rglob("*.tmp"))
    until(lambda: not at_work(other), 60)


# Read by every Python that a run starts: who is about to sync a file that it wrote may be drawn, by
# the file's name, to cut it short and die, once. Workers put parts in place, a stage the rest.
SITE = """
import hashlib, multiprocessing, os, signal, sys
from pathlib import Path

MARKS, VICTIM, SEED = Path(__file__).with_name("marks"), {victim!r}, {seed!r}

def is_worker():
    return multiprocessing.parent_process() or sys.argv[0].endswith("default_worker.py")

def die(event, arguments):
    if event != "open" or not str(arguments[0]).endswith(".tmp"):
        return
    path = Path(arguments[0])
    name = path.name.rsplit(".", 2)[0]
    drawn = int(hashlib.sha256((SEED + name).encode()).hexdigest(), 16) % {one_in} == 0
    if not drawn or "data" not in os.listdir() or not path.is_file():
        return
    if bool(is_worker()) == (VICTIM == "worker") and not (MARKS / name).exists():
        (MARKS / name).touch()
        os.truncate(path, path.stat().st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(die)
"""


def planned(out: Path) -> set[Path]:
    """The files of an output, as the manifests below it list them."""
    manifests = list(out.rglob("_manifest.json"))
    entries = [(path, entry) for path in manifests for entry in load_manifest(path)]
    return {*manifests, *(path.with_name(f"{entry.key}.parquet") for path, entry in entries)}


@pytest.mark.parametrize(
    ("executor", "victim"), [("processes", "worker"), ("processes", "stage"), ("ray", "worker")]
)
def test_killed_while_it_writes_it_leaves_nothing_half_written_in_an_output(
    project: Path, tmp_path: Path, executor: str, victim: str
) -> None:
    other = tmp_path / "other"
    put_project(other, executor=executor, workers=2)
    shutil.copytree(project / "data" / "raw", other / "data" / "raw")
    marks = other / "marks"
    marks.mkdir()
    site = SITE.format(victim=victim, seed=executor + victim, one_in=3)
    (other / "sitecustomize.py").write_text(site)
    failed = 0
    while start(other, *REPRO).wait(timeout=300):
        failed += 1
        until(lambda: not at_work(other), 60)
        assert failed <= len(list(marks.iterdir()))
        outs = [path.parent for path in (other / "data").rglob("*.parquet")]
        halves = [path for out in outs for path in out.iterdir() if path.name.startswith(".")]
        assert halves == []
    killed = len(list(marks.iterdir()))
    assert killed >= 3
    assert failed == (killed if victim == "stage" else 0)
    assert len(list((other / ".pipeline" / "tmp").glob(".*.tmp"))) == killed

    stages = yaml.safe_load((other / "dvc.lock").read_text())["stages"]
    outs = [out for stage in stages.values() for out in stage["outs"] if "nfiles" in out]
    assert len(outs) >= 5
    for out in outs:
        files = {path for path in (other / out["path"]).rglob("*") if path.is_file()}
        assert (files, out["nfiles"]) == (planned(other / out["path"]), len(files))
    assert_made_alike(other, project)


def test_a_failed_run_can_be_left_by_checkout_and_by_switch(project: Path, tmp_path: Path) -> None:
    """What a failed run left is no obstacle: `dvc checkout --force` brings the last state back."""
    other = tmp_path / "other"
    shutil.copytree(project, other, symlinks=True)
    before = tree(other)
    author = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    run(other, "git", "add", "--all")
    run(other, "git", *author, "commit", "--quiet", "--message", "made")
    change(other, -19.0)
    dvc = start(other, "dvc", "repro")
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
