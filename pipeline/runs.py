"""The run record: what a stage did, when, where and at which revision.

Outputs are versioned and hold none of this; the records stand beside them in .pipeline/runs.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(".pipeline", "runs")


@contextmanager
def recorded(stage: str) -> Iterator[dict[str, Any]]:
    """Record the block as one run of `stage`; it adds its own figures to the mapping it gets."""
    started = datetime.now(UTC)
    record: dict[str, Any] = {
        "stage": stage,
        "started": started.isoformat(timespec="seconds"),
        "host": platform.node(),
        "revision": revision(),
        "outcome": "failed",
    }
    try:
        yield record
        record["outcome"] = "done"
    finally:
        record["seconds"] = round((datetime.now(UTC) - started).total_seconds(), 3)
        usage = [
            resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        ]
        record["cpu_seconds"] = round(sum(u.ru_utime + u.ru_stime for u in usage), 3)
        # Of this process and of those that it waited for: the largest one, not their sum.
        record["largest_process_mb"] = round(max(u.ru_maxrss for u in usage) / 1024)
        _append(stage, json.dumps(record, sort_keys=True))


def last_made(stage: str) -> dict[str, Any]:
    """The latest record of a stage that ended well and made something; empty if there is none.

    A run that failed, or found everything made, is not the one that the output is of.
    """
    try:
        lines = _path(stage).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return {}
    for line in reversed(lines):
        try:
            record = json.loads(line)
        except ValueError:  # a run that was killed left half a line
            continue
        if (
            isinstance(record, dict)
            and record.get("outcome") == "done"
            and record.get("computed", 0) > 0
        ):
            return record
    return {}


def _append(stage: str, line: str) -> None:
    """Add a line, a new one even where the last was left half-written."""
    path = _path(stage)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else f"\n{line}"
        file.write(f"{line}\n".encode())


def _path(stage: str) -> Path:
    return FOLDER / f"{stage.replace('/', '@')}.jsonl"


def revision() -> str:
    """The git commit of the working tree, marked `+` when something in it differs; or `none`."""
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        return commit + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "none"


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
