"""Die with the process that started the work: a killed `dvc repro` must not leave a writer."""

from __future__ import annotations

import contextlib
import os
import signal
import threading

import psutil


def die_with_parent() -> None:
    """Kill this process and its children when its parent ends."""
    _die_with(psutil.Process(os.getppid()))


def die_with_dvc() -> None:
    """Kill this process and its children when the DVC above it, if any, ends.

    DVC runs a stage through a shell, which outlives a killed DVC. It gives `DVC_STAGE` to what it
    starts, so that the nearest ancestor without it is DVC itself.
    """
    if "DVC_STAGE" not in os.environ:
        return
    for ancestor in psutil.Process().parents():
        if not _was_started_by_dvc(ancestor):
            if ancestor.pid == 1 and not any("dvc" in word for word in ancestor.cmdline()):
                kill_tree()  # DVC has died already, and init has taken its place
            _die_with(ancestor)
            return


def _was_started_by_dvc(process: psutil.Process) -> bool:
    try:
        return "DVC_STAGE" in process.environ()
    except psutil.AccessDenied:
        return False


def kill_tree() -> None:
    """SIGKILL to all descendants and to this process."""
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    os.kill(os.getpid(), signal.SIGKILL)


def _die_with(process: psutil.Process) -> None:
    def wait() -> None:
        process.wait()
        kill_tree()

    threading.Thread(target=wait, name=f"die-with-{process.pid}", daemon=True).start()
