from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from tests.processes import gone, until

STAGE = """
import subprocess, sys, time
from pipeline.execution.parent_watch import die_with_dvc
die_with_dvc()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


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
    worker = psutil.Process(int(dvc.stdout.readline()))
    stage = worker.parent()
    assert stage is not None
    assert stage.is_running()
    os.kill(dvc.pid, how)
    dvc.wait()
    until(lambda: gone([stage, worker]), 10)
    dvc.stdout.close()
