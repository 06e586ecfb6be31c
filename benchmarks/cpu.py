"""CPU seconds of a command and of everything that it starts, whoever reaps it.

Processes that their parents wait for are counted by the kernel, exactly. A daemon whose parent has
ended falls to this process, which is made its reaper (PR_SET_CHILD_SUBREAPER), so it is counted the
same way. What is left are children of a parent that ignores SIGCHLD, of which the kernel keeps no
account: those are looked at ten times a second in /proc, and their last seen times are added.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

PR_SET_CHILD_SUBREAPER = 36
INTERVAL_S = 0.1
# What a command leaves running may take this long to end by itself; then it is killed.
GRACE_S = 15.0
SIGCHLD_BIT = 1 << (signal.SIGCHLD - 1)


@dataclass(frozen=True)
class Spent:
    """CPU and wall seconds of a tree of processes, from its start until its last process ended."""

    cpu_s: float
    wall_s: float


@dataclass(frozen=True)
class _Seen:
    """A process at its last sighting: `cpu_s` with that of the children it waited for."""

    parent: int
    cpu_s: float
    forgets_children: bool


class CommandFailed(Exception):
    """A command that was measured ended with an error; its last lines are the message."""


def spend(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path | None = None
) -> Spent:
    """Run a command in `folder` and say what its whole tree of processes spent.

    Its output goes to `log`, or nowhere. Raises CommandFailed.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_reaper())
        if log is None:
            output = stack.enter_context(tempfile.TemporaryFile())
        else:
            output = stack.enter_context(log.open("w+b"))
        standing = frozenset(_descendants())
        started = time.monotonic()
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdout=output, stderr=output
        )
        try:
            cpu_s, status = _watch(process, standing)
        except BaseException:
            _kill(_descendants(standing))
            process.wait()
            raise
        wall_s = time.monotonic() - started
        if status:
            output.seek(0)
            tail = output.read().decode(errors="replace")[-3000:]
            raise CommandFailed(f"{' '.join(command)} ended with {status}:\n{tail}")
    return Spent(cpu_s, wall_s)


def _watch(process: subprocess.Popen[bytes], standing: frozenset[int]) -> tuple[float, int]:
    """CPU seconds of the tree, and the exit status of the process at its top.

    `standing` are the descendants that this process had before; they are left alone.
    """
    total, ended_at, status = 0.0, 0.0, 0
    before: dict[int, _Seen] = {}
    while True:
        now = _descendants(standing)
        reaped = set()
        while (found := _reap(standing)) is not None:
            pid, code, cpu_s = found
            reaped.add(pid)
            now.pop(pid, None)
            total += cpu_s
            if pid == process.pid:
                process.returncode = status = os.waitstatus_to_exitcode(code)
                ended_at = time.monotonic()
        for pid in before.keys() - now.keys() - reaped:
            parent = before.get(before[pid].parent)
            if parent is not None and parent.forgets_children:
                total += before[pid].cpu_s
        if ended_at and not now:
            return total, status
        if ended_at and time.monotonic() - ended_at > GRACE_S:
            _kill(now)
        before = now
        time.sleep(INTERVAL_S)


def _descendants(standing: frozenset[int] = frozenset()) -> dict[int, _Seen]:
    found = {}
    for child in psutil.Process().children(recursive=True):
        if child.pid in standing:
            continue
        with contextlib.suppress(psutil.Error, OSError):
            times = child.cpu_times()
            spent = times.user + times.system + times.children_user + times.children_system
            found[child.pid] = _Seen(child.ppid(), spent, _forgets_children(child.pid))
    return found


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _forgets_children(pid: int) -> bool:
    """Whether a process ignores SIGCHLD, so that its children end without an account."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigIgn:"):
            return bool(int(line.split()[1], 16) & SIGCHLD_BIT)
    return False


def _reap(standing: frozenset[int]) -> tuple[int, int, float] | None:
    """One ended child: its id, its status, its CPU seconds with those it waited for."""
    for child in psutil.Process().children():
        if child.pid not in standing:
            with contextlib.suppress(ChildProcessError):
                pid, status, usage = os.wait4(child.pid, os.WNOHANG)
                if pid:
                    return pid, status, usage.ru_utime + usage.ru_stime
    return None


@contextlib.contextmanager
def _reaper() -> Iterator[None]:
    """Be the process to which orphans among the descendants fall."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot become the reaper of orphans; is this Linux?")
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
