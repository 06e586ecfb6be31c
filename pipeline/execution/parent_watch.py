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

    DVC runs a stage through a shell, which outlives a killed DVC.
    """
    dvc = dvc_above()
    if dvc is not None:
        if dvc.pid == 1 and not any("dvc" in word for word in dvc.cmdline()):
            kill_tree()  # DVC has died already, and init has taken its place
        _die_with(dvc)


def dvc_above() -> psutil.Process | None:
    """The DVC that runs this process, if one does.

    It gives `DVC_STAGE` to what it starts: so it is the nearest ancestor without.
    """
    if "DVC_STAGE" not in os.environ:
        return None
    for ancestor in psutil.Process().parents():
        if not _was_started_by_dvc(ancestor):
            return ancestor
    return None


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
