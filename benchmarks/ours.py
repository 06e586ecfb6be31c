"""This project on a corpus: `pipeline stage clean` and `extract` of view 0, as a user runs them."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

from benchmarks.cpu import Spent, spend
from benchmarks.kernels import PROJECT, SETS, params
from pipeline.core.machine import environment as computing

MODALITIES = tuple(SETS)


def environment(modules: Path = PROJECT) -> dict[str, str]:
    """One thread a process and the project's instruction set, for it and its peers alike.

    This Python's commands come first, and the package is the one that lies in `modules`.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    inherited = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    return {
        **inherited,
        **computing.environment(params().instructions),
        "PATH": path,
        "PYTHONPATH": str(modules),
        "DVC_NO_ANALYTICS": "1",
    }


def put_project(folder: Path, executor: str, workers: int) -> None:
    """A project in `folder`: the repository's params, with two modalities, no views, no models."""
    document = yaml.safe_load((PROJECT / "params.yaml").read_text())
    document |= {
        "sources": {"stamps": {"kind": "folder"}},
        "fetch": {},
        "modalities": list(MODALITIES),
        "targets": {},
        "clean": {modality: document["clean"][modality] for modality in MODALITIES},
        "augment": {modality: {"views": 0} for modality in MODALITIES},
        "features": {name: document["features"][name] for name in SETS.values()},
        "curate": {},
        "models": {},
        "evaluate": {},
        "comparison": None,
        "execution": {"executor": executor, "workers": workers},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))


def add_batch(project: Path, batch: Path) -> None:
    """Land a batch in a project's raw data."""
    landed = project / "data" / "raw" / "stamps" / batch.name
    shutil.copytree(batch, landed, copy_function=os.link)


def stage(project: Path, name: str, item: str = "") -> Spent:
    """Run one stage, as the command line does."""
    command = [sys.executable, "-m", "pipeline.cli.main", "stage", name, *([item] if item else [])]
    return spend(command, project, environment())


def run(project: Path) -> dict[str, Spent]:
    """Ingest what has landed, then run the stages that count: stage → what it spent."""
    stage(project, "ingest")
    spent = {f"clean/{modality}": stage(project, "clean", modality) for modality in MODALITIES}
    for modality in MODALITIES:
        stage(project, "augment", modality)
    return spent | {f"extract/{name}": stage(project, "extract", name) for name in SETS.values()}


def graph(project: Path) -> dict[str, Spent]:
    """Ingest what has landed, then run the stages as a graph, which counts as one."""
    stage(project, "ingest")
    command = [sys.executable, "-m", "benchmarks.graph", str(project)]
    return {"graph": spend(command, PROJECT, environment())}


def last_record(project: Path, label: str) -> dict[str, Any]:
    """The latest run record of a stage, such as `clean/image`."""
    path = project / ".pipeline" / "runs" / f"{label.replace('/', '@')}.jsonl"
    record: dict[str, Any] = json.loads(path.read_text().splitlines()[-1])
    return record
