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
    """Kill this process and its children when the `dvc` above it, if any, ends.

    DVC runs a stage through a shell, so that the stage's parent may be the shell, which outlives a
    killed DVC; the nearest ancestor of another name is DVC itself.
    """
    if "DVC_STAGE" not in os.environ:
        return
    shells = {"sh", "bash", "dash", "zsh", "ash", "busybox"}
    for ancestor in psutil.Process().parents():
        if ancestor.name() not in shells:
            _die_with(ancestor)
            return
    kill_tree()  # the ancestor has died already


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
