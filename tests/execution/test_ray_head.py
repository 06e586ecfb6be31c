"""One head for the stages of a graph; whatever is killed, nothing stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.execution.reading import OUT, put_files
from tests.processes import at_work, gone, kill_all, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STAGE = """
import sys
import time
from pathlib import Path
from pipeline.core.errors import PipelineError
from pipeline.execution.ray import RayExecutor
from pipeline.execution.parent_watch import die_with_dvc
from tests.execution.reading import Reading, bring
from tests.toy import function

if __name__ == "__main__":
    die_with_dvc()
    work = Reading(function(of=sys.argv[1]), folder=Path("in"), seconds=float(sys.argv[2]))
    try:
        summary = bring(RayExecutor(2), work, range(60))
        print(f"computed {summary.computed} reused {summary.reused}", flush=True)
    except PipelineError as error:
        print(f"error: {error}", flush=True)
    except KeyboardInterrupt:
        print("stopped", flush=True)
"""
# Like DVC: it tells its stages who they are, and runs each through a shell.
DVC = """
import os, subprocess, sys
for stage in sys.argv[1:]:
    if stage.startswith("kill "):
        subprocess.run([sys.executable, "kill.py", stage.removeprefix("kill ")], check=True)
        continue
    command = f"{sys.executable} stage.py {stage}; true"
    try:
        subprocess.run(["/bin/sh", "-c", command], env={**os.environ, "DVC_STAGE": "toy"})
    except KeyboardInterrupt:
        break
"""
# Kills one process of the head that stands.
KILL = """
import json, sys
from pathlib import Path
import psutil
(path,) = Path(".pipeline/ray").glob("*.json")
holder = psutil.Process(json.loads(path.read_text())["holder"])
named = {process.name(): process for process in holder.children(recursive=True)}
victim = named.get(sys.argv[1], holder)
victim.kill()
psutil.wait_procs([victim], timeout=0.5)
"""


@pytest.fixture
def graph(inside: Path) -> Iterator[Path]:
    put_files(inside / "in", range(60))
    (inside / "stage.py").write_text(STAGE)
    (inside / "dvc.py").write_text(DVC)
    (inside / "kill.py").write_text(KILL)
    yield inside
    kill_all(at_work(inside))


def start(*stages: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "dvc.py", *stages],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def heads(folder: Path) -> list[dict[str, object]]:
    paths = (folder / ".pipeline/ray").glob("*.json")
    return [json.loads(path.read_text()) for path in paths if path.exists()]


def parts_made() -> int:
    return len(list(OUT.glob("[!.]*.parquet")))


def said(dvc: subprocess.Popen[str]) -> list[str]:
    lines = dvc.communicate(timeout=120)[0].splitlines()
    return [line for line in lines if line.startswith(("computed ", "error: ", "stopped"))]


def test_stages_share_a_head_that_ends_with_their_graph(graph: Path) -> None:
    dvc = start("one 0.01", "two 0.01")
    seen = set()
    processes: dict[int, psutil.Process] = {}
    while dvc.poll() is None:
        seen |= {str(head["addresses"]) for head in heads(graph)}
        processes |= {process.pid: process for process in at_work(graph)}
        time.sleep(0.5)
    assert len(said(dvc)) == 2
    assert len(seen) == 1
    until(lambda: gone(processes.values()))
    assert not heads(graph)


@pytest.mark.parametrize("how", ["dvc is killed", "the holder is killed", "the raylet is killed"])
def test_whatever_is_killed_nothing_stays_and_the_next_run_goes_on(graph: Path, how: str) -> None:
    dvc = start("one 0.2")
    until(lambda: parts_made() >= 2)
    before = parts_made()
    processes = at_work(graph)
    raylet = next(process for process in processes if process.name() == "raylet")
    victim = {
        "dvc is killed": dvc.pid,
        "the holder is killed": heads(graph)[0]["holder"],
        "the raylet is killed": raylet.pid,
    }[how]
    os.kill(int(str(victim)), signal.SIGKILL)
    if how == "dvc is killed":
        dvc.wait()
        dvc.stdout.close()  # type: ignore[union-attr]
    else:
        (line,) = said(dvc)
        # Workers may outlive their raylet for as long as they need nothing of it.
        finished = how == "the raylet is killed" and line.startswith("computed")
        assert finished or line.startswith("error: Ray died"), line
    until(lambda: gone(processes))
    (line,) = said(start("one 0"))
    assert int(line.split()[-1]) >= before
    until(lambda: gone(at_work(graph)))


@pytest.mark.parametrize("victim", ["gcs_server", "raylet", "holder"])
def test_a_head_that_dies_between_stages_costs_no_run(graph: Path, victim: str) -> None:
    dvc = start("one 0", f"kill {victim}", "two 0")
    assert [line.split()[0] for line in said(dvc)] == ["computed", "computed"]
    until(lambda: gone(at_work(graph)))
    assert not heads(graph)


@pytest.fixture
def sessions() -> Iterator[Path]:
    """Where Ray keeps the folders of its sessions; the path of a socket in it must be short."""
    with tempfile.TemporaryDirectory(prefix="r") as folder:
        (Path(folder) / "ray" / "session_of_others").mkdir(parents=True)
        yield Path(folder) / "ray"


def session_names(sessions: Path) -> list[str]:
    return sorted(path.name for path in sessions.glob("*session_[!l]*"))


def test_the_folders_of_our_sessions_go_and_those_of_others_stay(
    graph: Path, sessions: Path
) -> None:
    dvc = start("one 0.2", TMPDIR=str(sessions.parent))
    until(lambda: parts_made() >= 2)
    assert len(session_names(sessions)) == 3  # its folder, its mark, and the others'
    processes = at_work(graph)
    os.kill(int(str(heads(graph)[0]["holder"])), signal.SIGKILL)
    said(dvc)
    until(lambda: gone(processes))
    said(start("one 0", TMPDIR=str(sessions.parent)))
    until(lambda: gone(at_work(graph)))
    assert session_names(sessions) == ["session_of_others"]


def test_a_stage_by_itself_leaves_no_session_and_needs_no_home(graph: Path, sessions: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(sessions.parent), "HOME": "/proc/none"}
    command = [sys.executable, "stage.py", "one", "0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("computed "), done.stdout + done.stderr
    assert session_names(sessions) == ["session_of_others"]


def test_a_head_needs_no_home(graph: Path) -> None:
    lines = said(start("one 0", "two 0", HOME="/proc/none"))
    assert [line.split()[0] for line in lines] == ["computed", "computed"]


def test_ctrl_c_ends_all_and_the_next_run_goes_on(graph: Path) -> None:
    dvc = start("one 0.2")
    until(lambda: parts_made() >= 2)
    before, processes = parts_made(), at_work(graph)
    os.killpg(dvc.pid, signal.SIGINT)
    output = dvc.communicate(timeout=60)[0]
    assert "Traceback" not in output
    assert "stopped" in output
    until(lambda: gone(processes))
    (line,) = said(start("one 0"))
    assert int(line.split()[-1]) >= before
