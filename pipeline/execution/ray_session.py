"""Ray as a process of this project starts it for itself: its session, and the session's folder.

Ray leaves the folder of every session for good, with its logs and what it spilled. Whoever starts
Ray here marks the folder as its own by a lock beside it, which dies with the process: so the
folders of those that were killed are known, and those of other people's clusters never touched.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError

MARK = "pipeline-"
LOCAL = "local"
OTHERS = "write `execution: {executor: processes}` in params.yaml"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Characters that Ray's own words may take.
MOST_SAID = 600


@contextmanager
def session(cpus: int) -> Iterator[list[str]]:
    """Run Ray for as long as the block takes; gives the addresses of its head and its node.

    Raises
    ------
    PipelineError
        Ray did not start.
    """
    context = connect(address=LOCAL, num_cpus=cpus, include_dashboard=False)
    import ray

    folder = Path(context.address_info["session_dir"])
    _remove_ended(folder.parent)
    with (folder.parent / f"{MARK}{folder.name}").open("w") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        (node,) = ray.nodes()  # type: ignore[no-untyped-call]
        try:
            yield [
                ray.get_runtime_context().gcs_address,
                f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}",
            ]
        finally:
            ray.shutdown()
    _remove_ended(folder.parent)


def connect(**options: Any) -> Any:
    """What `ray.init` gives; PipelineError where it does not go through."""
    try:
        import ray
    except ImportError as error:
        raise PipelineError(
            f"Ray cannot be loaded ({error}): pip install ray, or {OTHERS}"
        ) from None
    try:
        return ray.init(**options, logging_level=logging.ERROR, log_to_driver=False)
    except Exception as error:  # bare ones where a process of Ray's does not come up
        if options["address"] == LOCAL:
            raise PipelineError(
                f"Ray does not start on this machine: {brief(error)}. Give it room in memory, in "
                f"/dev/shm and in RAY_TMPDIR, or {OTHERS}"
            ) from None
        raise PipelineError(
            f"cannot join the Ray cluster at '{options['address']}': {brief(error)}. Look whether "
            f"it runs (`ray status`), by the same Ray as here, or leave execution.ray_address and "
            f"RAY_ADDRESS empty"
        ) from None


def brief(error: Exception) -> str:
    """What Ray says, in one line, without colours and the stacks of other processes."""
    lines = _COLOUR.sub("", str(error)).splitlines()
    told = [line for line in lines if line and not line[0].isspace() and "raceback" not in line]
    return " ".join(told).rstrip(". ")[:MOST_SAID] or type(error).__name__


def answers(address: str) -> bool:
    """Whether anyone listens at `host:port`."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, OverflowError, ValueError):  # the others of what is no port, or no host
        return False
    return True


def folder_problem() -> str:
    """Why Ray could not keep its sessions on this machine, and what to do; empty where it can."""
    parent = Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or tempfile.gettempdir())
    folder = parent / "ray"
    if os.access(folder if folder.exists() else parent, os.W_OK | os.X_OK):
        return ""
    return f"Ray keeps its sessions in {folder}, where this user may not write: set RAY_TMPDIR"


def _remove_ended(folder: Path) -> None:
    """Remove the marked sessions whose process has ended; what is still written goes next time."""
    for path in folder.glob(f"{MARK}session_*"):
        try:
            mark = path.open("r+")
        except OSError:  # another user's
            continue
        with mark:
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            ended = folder / path.name.removeprefix(MARK)
            shutil.rmtree(ended, ignore_errors=True)
            if not ended.exists():
                path.unlink(missing_ok=True)
