"""Processes that a test has started, wherever they went."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import psutil


def at_work(folder: Path) -> list[psutil.Process]:
    """Processes, other than the test's own, that run in the folder, and all their descendants."""
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and Path(process.cwd()) == folder:
                own = [process, *process.children(recursive=True)]
                found |= {one.pid: one for one in own}
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return [*found.values()]


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """Kill those that have not ended by themselves meanwhile."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def gone(processes: Iterable[psutil.Process]) -> bool:
    """Whether all have ended, be it that nobody has asked for their exit status yet."""
    return not any(_runs(process) for process in processes)


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for something that comes about by itself."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it ended between the two questions
        return False
