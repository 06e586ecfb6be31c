"""What a change costs: 1 % new rows, and a comment in the code."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from benchmarks import ours
from benchmarks.cpu import spend
from benchmarks.kernels import PROJECT, SETS

LABELS = tuple(f"clean/{modality}" for modality in SETS) + tuple(
    f"extract/{name}" for name in SETS.values()
)
COUNTS = ("planned", "reused", "computed")
COMMENT = "# Nothing but a comment.\n"


def add(project: Path, batch: Path, workers: int) -> dict[str, Any]:
    """Land a batch in a project whose stages have run, and run them again.

    Stage → its CPU seconds and what its run record counts; `rows` is the number of new files. The
    executor is the project's own choice, as for a user.
    """
    ours.put_project(project, "auto", workers)
    ours.add_batch(project, batch)
    spent = ours.run(project)
    rows = sum(len(list((batch / modality).iterdir())) for modality in SETS)
    return {
        "rows": rows,
        "stages": {label: _stage(project, label, spent[label].cpu_s) for label in LABELS},
    }


def comment(project: Path, batch: Path, workers: int) -> dict[str, Any]:
    """`dvc repro` of ingest, clean, augment and extract, after a comment in pipeline/parts/part.py.

    `cpu_s` is that of all, `stages` that of the one stage that DVC runs, by its own record; the
    difference is DVC's.
    """
    ours.put_project(project, "auto", workers)
    _put_graph(project)
    ours.add_batch(project, batch)
    environment = ours.environment(project)
    command = ["dvc", "repro", "--quiet", *(f"extract@{name}" for name in SETS.values())]
    spend(command, project, environment)
    up_to_date = spend(command, project, environment)
    with (project / "pipeline" / "parts" / "part.py").open("a") as file:
        file.write(COMMENT)
    edited = spend(command, project, environment)
    stages = {"code": _stage(project, "code", ours.last_record(project, "code")["cpu_seconds"])}
    return {"cpu_s": edited.cpu_s, "up_to_date_cpu_s": up_to_date.cpu_s, "stages": stages}


def _stage(project: Path, label: str, cpu_s: float) -> dict[str, float]:
    record = ours.last_record(project, label)
    return {"cpu_s": cpu_s, **{name: record[name] for name in COUNTS}}


def _put_graph(project: Path) -> None:
    """Git, DVC, the graph and a copy of the package, as a user's clone has them."""
    (project / "requirements").mkdir()
    shutil.copy(PROJECT / "requirements" / "lock.txt", project / "requirements")
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(PROJECT / name, project)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT / "pipeline", project / "pipeline", ignore=ignored)
    for command in (["git", "init", "--quiet"], ["dvc", "init", "--quiet"]):
        subprocess.run(command, cwd=project, env=ours.environment(project), check=True)
