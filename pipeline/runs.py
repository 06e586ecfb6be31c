"""The run record: what a stage did, when, where and at which revision.

Outputs are versioned and hold none of this; the records stand beside them in .pipeline/runs.
"""

from __future__ import annotations

import json
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
        record["peak_memory_mb"] = round(max(u.ru_maxrss for u in usage) / 1024)
        FOLDER.mkdir(parents=True, exist_ok=True)
        with (FOLDER / f"{stage.replace('/', '@')}.jsonl").open("a") as file:
            file.write(json.dumps(record, sort_keys=True) + "\n")


def last(stage: str) -> dict[str, Any]:
    """The latest record of a stage; empty if it never ran here."""
    try:
        lines = (FOLDER / f"{stage.replace('/', '@')}.jsonl").read_text().splitlines()
    except FileNotFoundError:
        return {}
    record: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return record


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
