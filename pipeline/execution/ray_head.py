"""One Ray head for all stages of a graph: started by the first that needs it, ended with DVC.

A holder process keeps Ray. It writes the address to .pipeline/ray/<pid of DVC>.json and waits for
DVC to end, however it ends; killed itself, it takes Ray with it, since the kernel ends Ray's
processes with the one that started them. A head that has died under its holder is ended with it,
and the next stage starts another.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from pipeline.core.errors import PipelineError
from pipeline.core.files.atomic import atomic_write
from pipeline.core.machine.environment import inherited
from pipeline.execution.ray_session import answers, session

FOLDER = Path(".pipeline", "ray")
START_SECONDS = 120.0
TOKEN = "RAY_AUTH_TOKEN"

logger = logging.getLogger(__name__)


def address_of(owner: psutil.Process, cpus: int) -> str:
    """The address of the owner's head, which is started if it does not run.

    Raises
    ------
    PipelineError
        Ray did not start.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    remove_stale()
    path = FOLDER / f"{owner.pid}.json"
    head = _read(path) or _start(path, owner, cpus)
    if head["token"]:
        os.environ[TOKEN] = head["token"]
    return str(head["addresses"][0])


def authenticate() -> None:
    """Give Ray a token for the heads that are started here, before it is loaded and reads it.

    Left to itself it writes one below HOME, which a user of a container or a service may not have.
    """
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    if "ray" not in sys.modules and "RAY_AUTH_TOKEN_PATH" not in os.environ:
        os.environ.setdefault(TOKEN, secrets.token_hex(32))


def hold(path: Path, owner: int, cpus: int) -> None:
    """Run Ray until the owner ends."""
    try:
        process = psutil.Process(owner)
    except psutil.NoSuchProcess:
        return
    me = psutil.Process()
    with session(cpus) as addresses:
        head = {
            "addresses": addresses,
            "token": os.environ.get(TOKEN, ""),
            "holder": me.pid,
            "started": me.create_time(),
        }
        with atomic_write(path) as temporary:
            temporary.touch(mode=0o600)  # the token is this user's alone
            temporary.write_text(json.dumps(head))
        try:
            process.wait()
        finally:
            path.unlink(missing_ok=True)
    path.with_suffix(".log").unlink(missing_ok=True)


def _start(path: Path, owner: psutil.Process, cpus: int) -> dict[str, Any]:
    """Start a holder in a session of its own: an interrupt is for the stage, not for Ray."""
    log = path.with_suffix(".log")
    command = [sys.executable, "-m", __name__, str(path.absolute()), str(owner.pid), str(cpus)]
    with log.open("wb") as output:
        holder = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, **inherited()},
        )
    deadline = time.monotonic() + START_SECONDS
    while holder.poll() is None and time.monotonic() < deadline:
        head = _read(path)
        if head:
            return head
        time.sleep(0.05)
    holder.kill()
    holder.wait()
    raise PipelineError(f"Ray did not start; it says: {log.read_text(errors='replace')[-2000:]}")


def _read(path: Path) -> dict[str, Any] | None:
    """What is written of a head whose holder is alive and whose processes answer."""
    head = _written(path)
    holder = _holder(head) if head else None
    if not head or not holder or holder.status() == psutil.STATUS_ZOMBIE:
        return None
    return head if all(map(answers, head["addresses"])) else None


def _written(path: Path) -> dict[str, Any] | None:
    try:
        head: dict[str, Any] = json.loads(path.read_text())
        return head if {"addresses", "token", "holder", "started"} <= head.keys() else None
    except (OSError, ValueError, AttributeError):
        return None


def _holder(head: dict[str, Any]) -> psutil.Process | None:
    """The holder; None where its number is nobody's, or another's by now."""
    try:
        process = psutil.Process(head["holder"])
        return process if process.create_time() == head["started"] else None
    except psutil.NoSuchProcess:
        return None


def remove_stale() -> None:
    """End what is left of heads that died, or whose holder was killed; and remove their files.

    Ray's agents would wait a minute.
    """
    for path in FOLDER.glob("*.json"):
        if _read(path) is None:
            head = _written(path)
            if head:
                logger.warning("the Ray head at %s died", head["addresses"][0])
                _end_session_of(head)
            path.unlink(missing_ok=True)
    for path in FOLDER.glob("*.log"):
        if not psutil.pid_exists(int(path.stem)):
            path.unlink(missing_ok=True)


def _end_session_of(head: dict[str, Any]) -> None:
    """Kill the session that a holder began: none gets its number while one of it is left."""
    holder = int(head["holder"])
    if psutil.pid_exists(holder) and _holder(head) is None:
        return
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, PermissionError):
            if os.getsid(process.pid) == holder:
                process.kill()


if __name__ == "__main__":
    try:
        hold(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    except PipelineError as error:
        sys.exit(str(error))
