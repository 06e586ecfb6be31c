"""The run record: what a stage did, when, where and at which revision.

Outputs are versioned and hold none of this; the records stand beside them in .pipeline/runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import resource
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.documents import parsed
from pipeline.core.machine.peak_memory import peak_mb

if TYPE_CHECKING:
    from pipeline.parts.summary import Summary

FOLDER = Path(".pipeline", "runs")
# Runs of a stage that are kept.
KEPT = 20


@dataclass(frozen=True)
class _Figures:
    """As much of a record as others reckon with."""

    stage: str = ""
    started: str = ""
    outcome: str = ""
    seconds: float = 0
    cpu_seconds: float = 0
    gpu_seconds: float = 0
    peak_mb: float = 0
    computed: int = 0
    restored: int = 0


@contextmanager
def recorded(stage: str) -> Iterator[dict[str, Any]]:
    """Record the block as one run of `stage`; it adds its own figures to the mapping it gets."""
    started = datetime.now(UTC)
    record: dict[str, Any] = {
        "stage": stage,
        "started": started.isoformat(timespec="seconds"),
        "host": platform.node(),
        "pid": os.getpid(),
        "revision": revision(),
        "outcome": "interrupted",  # of a run that is killed, nothing later will be written
    }
    _keep(stage, record)
    try:
        yield record
        record["outcome"] = "done"
    except Exception:
        record["outcome"] = "failed"
        raise
    finally:
        record["seconds"] = round((datetime.now(UTC) - started).total_seconds(), 3)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        cpu = usage.ru_utime + usage.ru_stime + record.pop("workers_cpu", 0.0)
        record["cpu_seconds"] = round(cpu, 3)
        record["peak_mb"] = max(peak_mb(), record.get("peak_mb", 0))
        _keep(stage, record)


def summary_of(summary: Summary) -> dict[str, Any]:
    """A stage's summary as its record tells it: what the workers used is summed.

    `peak_mb` is the memory of the largest process, not of all together.
    """
    record = {name: value for name, value in vars(summary).items() if name != "used"}
    record["workers"] = len({use.worker for use in summary.used})
    record["workers_cpu"] = sum(use.cpu_seconds for use in summary.used)
    record["gpu_seconds"] = round(sum(use.gpu_seconds for use in summary.used), 3)
    record["peak_mb"] = max((use.peak_mb for use in summary.used), default=0)
    return record


def last_made(stage: str) -> dict[str, Any]:
    """The latest record of a stage that ended well and made something; empty if there is none.

    A run that failed, or found everything made, is not the one that the output is of.
    """
    return _last_made(records(stage))


def _last_made(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    runs_that_made = (
        record
        for record in reversed(runs)
        if record.get("outcome") == "done" and record.get("computed", 0) + record.get("restored", 0)
    )
    return next(runs_that_made, {})


def records(stage: str) -> list[dict[str, Any]]:
    """The records of a stage that are kept, the oldest first."""
    try:
        lines = _path(stage).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    runs: list[dict[str, Any]] = []
    for line in lines:
        # A run that was killed left half a line, and a damaged one has no figures.
        with contextlib.suppress(ValueError):
            parsed(line, _Figures)
            runs.append(json.loads(line))
    return runs


def _keep(stage: str, record: dict[str, Any]) -> None:
    """Add a record to the last ones, and keep beside them the one that the output is of."""
    path = _path(stage)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # a second run of the stage ends at once, and says so
        runs = [*(one for one in records(stage) if not _began(one, record)), record]
        kept = runs[-KEPT:]
        last_made = _last_made(runs)
        if last_made and last_made not in kept:
            kept[0] = last_made
        with atomic_write(path) as temporary:
            lines = (json.dumps(one, sort_keys=True) + "\n" for one in kept)
            temporary.write_text("".join(lines), encoding="utf-8")
    finally:
        os.close(folder)


def _began(one: Mapping[str, Any], run: Mapping[str, Any]) -> bool:
    """Whether a record is that of a run's beginning."""
    same = all(one.get(name) == run.get(name) for name in ("started", "host", "pid"))
    return same and "seconds" not in one


def outcome(record: Mapping[str, Any]) -> str:
    """`done`, `failed` or `interrupted`; `running` as long as its process is there."""
    ended = str(record.get("outcome", ""))
    here = record.get("host") == platform.node()
    alive = here and Path("/proc", str(record.get("pid"))).exists()
    return "running" if ended == "interrupted" and "seconds" not in record and alive else ended


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
