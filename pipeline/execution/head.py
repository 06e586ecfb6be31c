"""One Ray head for all stages of a graph: started by the first that needs it, ended with DVC.

A holder process keeps Ray. It writes the address to .pipeline/ray/<pid of DVC>.json and waits for
DVC to end, however it ends; killed itself, it takes Ray with it, since the kernel ends Ray's
processes with the one that started them.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from pipeline.errors import PipelineError
from pipeline.execution.environment import inherited
from pipeline.replacing import replacing

FOLDER = Path(".pipeline", "ray")
START_SECONDS = 120.0


def address_of(owner: psutil.Process, cpus: int) -> str:
    """The address of the owner's head, which is started if it does not run.

    Raises
    ------
    PipelineError
        Ray did not start.
    """
    # Ray's own default for a head that it starts, which a driver must be told before it loads Ray.
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    FOLDER.mkdir(parents=True, exist_ok=True)
    forget_the_dead()
    path = FOLDER / f"{owner.pid}.json"
    running = _read(path)
    return running or _start(path, owner, cpus)


def hold(path: Path, owner: int, cpus: int) -> None:
    """Run Ray until the owner ends."""
    import ray

    try:
        process = psutil.Process(owner)
    except psutil.NoSuchProcess:
        return
    ray.init(
        address="local",
        num_cpus=cpus,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    me = psutil.Process()
    told = {
        "address": ray.get_runtime_context().gcs_address,
        "holder": me.pid,
        "started": me.create_time(),
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(told))
    try:
        process.wait()
    finally:
        path.unlink(missing_ok=True)
        ray.shutdown()
        path.with_suffix(".log").unlink(missing_ok=True)


def _start(path: Path, owner: psutil.Process, cpus: int) -> str:
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
        address = _read(path)
        if address:
            return address
        time.sleep(0.05)
    holder.kill()
    holder.wait()
    raise PipelineError(f"Ray did not start; it says: {log.read_text(errors='replace')[-2000:]}")


def _read(path: Path) -> str | None:
    """The address of a head whose holder is alive."""
    try:
        told = json.loads(path.read_text())
        holder = psutil.Process(told["holder"])
        alive = holder.status() != psutil.STATUS_ZOMBIE
        return str(told["address"]) if alive and holder.create_time() == told["started"] else None
    except (OSError, ValueError, KeyError, psutil.NoSuchProcess):
        return None


def forget_the_dead() -> None:
    """End what killed holders left: Ray's agents, which would wait a minute; and their files."""
    for path in FOLDER.glob("*.json"):
        if _read(path) is None:
            _end_session_of(path)
            path.unlink(missing_ok=True)
    for path in FOLDER.glob("*.log"):
        if not psutil.pid_exists(int(path.stem)):
            path.unlink(missing_ok=True)


def _end_session_of(path: Path) -> None:
    """Kill the session that a dead holder began: none gets its number while one of it is left."""
    try:
        holder = int(json.loads(path.read_text())["holder"])
    except (OSError, ValueError, KeyError):
        return
    if psutil.pid_exists(holder) and psutil.Process(holder).status() != psutil.STATUS_ZOMBIE:
        return
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, PermissionError):
            if os.getsid(process.pid) == holder:
                process.kill()


if __name__ == "__main__":
    hold(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
