"""One head for the stages of a graph; whatever is killed, nothing stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.execution.reading import OUT, put_files
from tests.processes import at_work, gone, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STAGE = """
import sys
import time
from pathlib import Path
from pipeline.errors import PipelineError
from pipeline.execution.ray import RayExecutor
from pipeline.execution.watch import die_with_dvc
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
    command = f"{sys.executable} stage.py {stage}; true"
    try:
        subprocess.run(["/bin/sh", "-c", command], env={**os.environ, "DVC_STAGE": "toy"})
    except KeyboardInterrupt:
        break
"""


@pytest.fixture
def graph(inside: Path) -> Iterator[Path]:
    put_files(inside / "in", range(60))
    (inside / "stage.py").write_text(STAGE)
    (inside / "dvc.py").write_text(DVC)
    yield inside
    for process in at_work(inside):
        process.kill()


def start(*stages: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "dvc.py", *stages],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def heads(folder: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in (folder / ".pipeline/ray").glob("*.json")]


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
        seen |= {str(head["address"]) for head in heads(graph)}
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
