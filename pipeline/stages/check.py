"""Check that `dvc repro` can do what params.yaml asks, with this machine, graph and data."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from pipeline.core.complaint import complaint
from pipeline.core.errors import PipelineError
from pipeline.core.files.dvc_cache import cache_folder, dvc_folder
from pipeline.core.folders import DATA, RAW
from pipeline.core.machine.processor import check_instructions
from pipeline.core.parsing import parse_json
from pipeline.encoders import encoder_of
from pipeline.execution.probe import processor_on
from pipeline.execution.process_group import check_room
from pipeline.execution.ray_session import folder_problem
from pipeline.params import Params
from pipeline.raw.listing import LINKED, NOT_A_FILE, listing, unfit
from pipeline.stages.check_data import check_data
from pipeline.stages.graph import labels
from pipeline.store.trees.git import check_repository

# Below this a run is likely to fill the disk half-way.
DISK_BYTES = 2 * 2**30
DVC = (sys.executable, "-m", "dvc")


def check_project(params: Params) -> list[str]:
    """What was found good or is worth knowing, a line each.

    Raises
    ------
    PipelineError
        Something is missing: the message lists all of it, each with what to do.
    """
    problems = [
        *_instructions(params),
        *_weights(params),
        *_devices(params),
        *_workers(params),
        *_repository(),
        *_disk(),
        *_batches(),
        *_ray(params),
        *damaged_rwlock(),
        *damaged_lockfile(),
    ]
    # DVC reads the graph, and says of the above no more than that it failed.
    problems = problems or _graph(params)
    data = check_data(params)
    if problems or data.problems:
        listed = "\n".join(f"  {problem}" for problem in [*problems, *data.problems])
        raise PipelineError(f"`dvc repro` cannot run yet:\n{listed}")
    cpus = len(os.sched_getaffinity(0))
    return [
        f"params.yaml: {len(params.sources)} source(s), {len(params.modalities)} modalities, "
        f"{len(params.features)} feature sets, {len(params.models)} models",
        f"machine: Python {platform.python_version()}, {platform.machine()} "
        f"{params.instructions}, {cpus} CPUs",
        *data.notes,
    ]


def _instructions(params: Params) -> list[str]:
    try:
        check_instructions(params.instructions)
    except PipelineError as error:
        return [str(error)]
    return []


def _weights(params: Params) -> list[str]:
    problems = []
    for name, feature in params.features.items():
        try:
            encoder_of(feature.encoder).weights(feature.options)
        except PipelineError as error:
            problems.append(f"features.{name}: {error}")
    compared = params.comparison.models if params.comparison else {}
    models = {f"models.{name}": model for name, model in params.models.items()}
    models |= {f"comparison.models.{name}": model for name, model in compared.items()}
    for path, model in models.items():
        for used, tower in model.tower_by_set.items():
            try:
                tower.weights()
            except PipelineError as error:
                problems.append(f"{path}.towers.{used}: {error}")
    return problems


def _devices(params: Params) -> list[str]:
    wanted = {
        f"features.{name}": getattr(feature.options, "device", "cpu")
        for name, feature in params.features.items()
    } | {f"models.{name}": model.device for name, model in params.models.items()}
    problems = []
    for path, device in wanted.items():
        try:
            if device != "cpu":
                processor_on(device, params.execution)
        except PipelineError as error:
            problems.append(f"{path}: {error}")
    return problems


def _workers(params: Params) -> list[str]:
    problems = []
    for name, model in params.models.items():
        try:
            check_room(model.workers, params.execution)
        except PipelineError as error:
            problems.append(f"models.{name}: {error}")
    return problems


def _ray(params: Params) -> list[str]:
    execution = params.execution
    if execution.address or execution.executor not in ("auto", "ray"):
        return []
    return [problem for problem in [folder_problem()] if problem]


def _repository() -> list[str]:
    problems = []
    if not Path(".dvc").is_dir():
        problems.append("this folder is no DVC project: run `dvc init`")
    try:
        check_repository(Path())
        if dvc := dvc_folder(Path()):
            cache_folder(dvc)
    except PipelineError as error:
        problems.append(str(error))
    return problems


def _graph(params: Params) -> list[str]:
    """What DVC makes of dvc.yaml and params.yaml, if it is not the stages that params mean."""
    if not params.models or not params.features:
        return ["params.yaml names no feature set or no model, which the report is made from"]
    if not Path("dvc.yaml").is_file():
        return ["there is no dvc.yaml: `pipeline init` makes a project with one"]
    command = [*DVC, "stage", "list", "--name-only"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode:
        return [f"DVC cannot read the graph: {complaint(listed.stderr)}"]
    everyday = labels(params, compares=False)
    missing = {label.replace("/", "@", 1) for label in everyday} - set(listed.stdout.split())
    return [f"dvc.yaml has no stage {name}" for name in sorted(missing)]


def _batches(raw: Path = Path(DATA, RAW)) -> list[str]:
    """What lies below the raw root, which DVC reads whole, and cannot be read or versioned there.

    What .dvcignore names is left to ingest, which refuses it or finds no use for it.
    """
    problems = []
    unfit_paths: dict[str, str] = {}
    for path in sorted([*raw.glob("*"), *raw.glob("*/*")]):
        if path.is_dir() and path.is_symlink():
            problems.append(f"{path} {LINKED}: bring the data in with `pipeline add`")
        elif not (path.is_file() or path.is_dir() or path.is_symlink()):
            unfit_paths[str(path)] = NOT_A_FILE
        elif path.is_dir() and path.parent.parent == raw and not path.name.startswith("."):
            problems_inside = unfit(path, listing(path))
            unfit_paths |= {f"{path}/{name}": why for name, why in problems_inside.items()}
    if unfit_paths:
        ignored = subprocess.run(
            [*DVC, "check-ignore", "--stdin"],
            input="\n".join(unfit_paths),
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
        for name in set(ignored.stdout.splitlines()) & unfit_paths.keys():
            del unfit_paths[name]
    return problems + [
        f"{name}: {why}; remove it, or add /{name} to .dvcignore and leave it to ingest"
        for name, why in unfit_paths.items()
    ]


def damaged_rwlock(path: Path = Path(".dvc", "tmp", "rwlock")) -> list[str]:
    """A lock that DVC was killed over while it wrote it: it then refuses all work (dvc#7615)."""
    try:
        parse_json(path.read_bytes())
    except FileNotFoundError:
        return []
    except ValueError:
        return [f"{path} is damaged, as a killed DVC leaves it: if no DVC is at work, remove it"]
    return []


def damaged_lockfile(path: Path = Path("dvc.lock")) -> list[str]:
    """A dvc.lock that DVC was killed over while it wrote it."""
    if not path.is_file():
        return []
    from dvc.exceptions import DvcException  # type: ignore[import-untyped]
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA  # type: ignore[import-untyped]
    from dvc.utils import strictyaml  # type: ignore[import-untyped]

    try:
        strictyaml.load(str(path), COMPILED_LOCKFILE_SCHEMA)
    except (DvcException, RecursionError):
        return [
            f"{path} is damaged, as a killed DVC leaves it: `git checkout {path}` brings the "
            f"committed one back, and where none is committed remove it; what is computed stays"
        ]
    return []


def _disk() -> list[str]:
    free = shutil.disk_usage(".").free
    if free < DISK_BYTES:
        return [f"{free / 2**30:.1f} GiB of disk are free, {DISK_BYTES / 2**30:.0f} are needed"]
    return []
