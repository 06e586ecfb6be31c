from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

STAGE = """
import subprocess, sys, time
from pipeline.execution.watch import die_with_dvc
die_with_dvc()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(condition) -> bool:  # type: ignore[no-untyped-def]
    for _ in range(200):
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_stage_and_its_workers_die_with_dvc(how: signal.Signals, tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "stage.py").write_text(STAGE)
    command = f"{sys.executable} {tmp_path}/stage.py; true"
    # Like DVC: it runs its stage through a shell, which outlives it.
    parent = (
        "import os, subprocess; "
        f"subprocess.run(['/bin/sh', '-c', {command!r}], env={{**os.environ, 'DVC_STAGE': 'toy'}})"
    )
    dvc = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    assert dvc.stdout is not None
    worker = int(dvc.stdout.readline())
    stage = psutil.Process(worker).ppid()
    assert not gone(stage)
    os.kill(dvc.pid, how)
    dvc.wait()
    assert wait_until(lambda: gone(stage) and gone(worker))
    dvc.stdout.close()
