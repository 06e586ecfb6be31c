from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.cpu import CommandFailed, spend

BURN = """
import time
def burn(seconds):
    start = time.process_time()
    while time.process_time() - start < seconds:
        pass
"""
WAITED = f"{BURN}\nimport subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
# The daemon goes on after its parent has ended.
DAEMON = f"{BURN}\nimport os\nif os.fork() == 0:\n    os.setsid()\n    burn(0.4)\n    os._exit(0)"
# The kernel forgets what children of such a parent spent.
FORGOTTEN = f"""{BURN}
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork() == 0:
    burn(0.8)
    os._exit(0)
time.sleep(2.5)
"""


def cpu_s(folder: Path, *arguments: str) -> float:
    return spend([sys.executable, "-c", *arguments], folder, os.environ).cpu_s


@pytest.mark.parametrize(
    ("arguments", "least"),
    [
        ((f"{BURN}\nburn(0.4)",), 0.4),
        ((WAITED, f"{BURN}\nburn(0.4)"), 0.4),
        ((DAEMON,), 0.4),
        ((FORGOTTEN,), 0.5),
    ],
    ids=["itself", "waited for", "daemon", "forgotten"],
)
def test_all_of_a_tree_is_counted(tmp_path: Path, arguments: tuple[str, ...], least: float) -> None:
    assert cpu_s(tmp_path, *arguments) >= least


def test_other_children_are_left_alone(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    ended = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"])
    try:
        cpu_s(tmp_path, f"{BURN}\nburn(0.2)")
        assert other.poll() is None
        assert ended.wait() == 7
    finally:
        other.kill()
        other.wait()


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=r"ended with 3:\n.*out of luck"):
        cpu_s(tmp_path, "print('out of luck'); raise SystemExit(3)")


def test_what_a_command_prints_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    spend([sys.executable, "-c", "print('here')"], tmp_path, os.environ, log)
    assert log.read_text() == "here\n"


def test_an_interrupted_measurement_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    before = set(psutil.Process().children())
    monkeypatch.setattr("benchmarks.cpu.time.sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        cpu_s(tmp_path, "import time; time.sleep(60)")
    new = set(psutil.Process().children()) - before
    left = [p for p in new if p.status() != psutil.STATUS_ZOMBIE]
    psutil.wait_procs(left, timeout=5)
    assert not [p for p in left if p.is_running()]
