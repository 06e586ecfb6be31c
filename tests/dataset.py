"""A small folder data set with three modalities, and a project folder around it."""

from __future__ import annotations

import atexit
import csv
import functools
import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import soundfile
import yaml

from pipeline.core.files.digest import digest_file

HERE = Path(__file__).parents[1]
CLASSES = ("circle", "square", "cross")
WORDS = ("round", "angular", "crossed", "bright", "deep", "old", "new", "calm")


def picture(label: str, i: int) -> bytes:
    """PNG of a shape, 64 by 48, its place and colours drawn from `i`."""
    rng = np.random.default_rng([CLASSES.index(label), i])
    image = np.full((48, 64, 3), 255, np.uint8)
    colour = tuple(int(c) for c in rng.integers(0, 200, 3))
    x, y, r = (int(n) for n in rng.integers((16, 14, 6), (48, 34, 13)))
    if label == "circle":
        cv2.circle(image, (x, y), r, colour, -1)
    elif label == "square":
        cv2.rectangle(image, (x - r, y - r), (x + r, y + r), colour, -1)
    else:
        cv2.line(image, (x - r, y - r), (x + r, y + r), colour, 3)
        cv2.line(image, (x - r, y + r), (x + r, y - r), colour, 3)
    texture = rng.integers(0, 60, image.shape).astype(np.uint8)
    return cv2.imencode(".png", cv2.subtract(image, texture))[1].tobytes()


def sound(label: str, i: int) -> bytes:
    """WAV of a tone of half a second whose pitch says the label, with noise drawn from `i`."""
    rng = np.random.default_rng([7, CLASSES.index(label), i])
    seconds = np.arange(8000) / 16_000
    tone = np.sin(2 * np.pi * (300 * (CLASSES.index(label) + 1) + i) * seconds)
    file = io.BytesIO()
    noisy = 0.3 * tone + 0.03 * rng.standard_normal(8000)
    soundfile.write(file, noisy, 16_000, format="WAV", subtype="PCM_16")
    return file.getvalue()


def put_batch(folder: Path, first: int, count: int) -> list[dict[str, str]]:
    """`count` samples of each class; every fifth lacks a modality. Returns the metadata rows."""
    folder.mkdir(parents=True)
    rows = []
    for label in CLASSES:
        for i in range(first, first + count):
            name = f"{label}-{i}"
            row = {
                "sample_id": name,
                "image_file_name": f"{name}.png",
                "audio_file_name": f"{name}.wav",
                "text": f"a {WORDS[i % len(WORDS)]} {label} {name}",
                "shape": label,
            }
            if i % 5 == 4:
                row[("image_file_name", "audio_file_name", "text")[i % 3]] = ""
            if row["image_file_name"]:
                (folder / f"{name}.png").write_bytes(picture(label, i))
            if row["audio_file_name"]:
                (folder / f"{name}.wav").write_bytes(sound(label, i))
            rows.append(row)
    write_metadata(folder, rows)
    return rows


def write_metadata(folder: Path, rows: list[dict[str, str]]) -> None:
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def params(**execution: object) -> dict[str, object]:
    """A params.yaml for it, with the encoders that need no weights."""
    model = {
        "fusion": "none",
        "tasks": {"shape": {}},
        "primary": "shape",
        "epochs": 8,
        "views": 1,
        "tower": {"hidden": 16, "width": 16},
    }
    every = ["colour_hog", "mfcc", "hashing"]
    return {
        "seed": 0,
        "parts": {"mean_rows": 8, "max_bytes": 1 << 22},
        "sources": {"shapes": {"kind": "folder", "targets": {"shape": "shape"}}},
        "fetch": {},
        "modalities": ["image", "audio", "text"],
        "targets": {"shape": {"kind": "multiclass"}},
        "ingest": {"reject_limit": 0.5},
        "clean": {name: {"reject_limit": 0.5} for name in ("image", "audio", "text")},
        "augment": {name: {"views": 1} for name in ("image", "audio", "text")},
        "features": {
            "colour_hog": {"modality": "image", "encoder": "colour_hog"},
            "mfcc": {"modality": "audio", "encoder": "mfcc"},
            "hashing": {"modality": "text", "encoder": "hashing"},
        },
        "curate": {
            "join_on": {"image": "equal", "audio": "equal", "text": "equal"},
            "min_components_per_class": 3,
            "max_component_share": 0.5,
            "ratios": {"train": 0.6, "validation": 0.2, "test": 0.2},
            "reject_limit": 0.5,
        },
        "models": {
            "image": {**model, "features": ["colour_hog"]},
            "gated": {**model, "features": every, "fusion": "gated"},
        },
        "evaluate": {"resamples": 100, "group_by": []},
        "report": {"gallery": 4, "sheet": 1},
        "execution": execution,
    }


def put_project(folder: Path, **execution: object) -> None:
    """A project as a user would have it: the graph, the package, params, git and DVC.

    Where the package has run, its compiled modules and what was learnt of its code come along: they
    go by the sources' times and digests, and to make them anew takes seconds in each project.
    """
    shutil.copytree(_template(), folder, symlinks=True, dirs_exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(params(**execution)))
    run(folder, "git", "add", "--all")
    run(folder, "git", *AUTHOR, "commit", "--quiet", "--message", "start")


LEARN = "from pipeline.parts.code import package_digest, remember; package_digest(); remember()"


@functools.cache
def _template() -> Path:
    """A project without params, made once a process: copying takes less than starting DVC."""
    folder = Path(tempfile.mkdtemp(prefix="project-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "requirements").mkdir()
    shutil.copy(HERE / "requirements" / "lock.txt", folder / "requirements")
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(HERE / name, folder)
    # Python writes a compiled module under another name first.
    unfinished = shutil.ignore_patterns("*.pyc.*")
    shutil.copytree(HERE / "pipeline", folder / "pipeline", ignore=unfinished)
    run(folder, "git", "init", "--quiet")
    run(folder, "dvc", "init", "--quiet")
    run(folder, "dvc", "config", "core.analytics", "false")
    run(folder, sys.executable, "-c", LEARN)
    return folder


def environment(folder: Path) -> dict[str, str]:
    """Commands of this environment first, and the project's own copy of the package."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    modules = os.pathsep.join([str(folder), str(HERE)])
    return {**os.environ, "PATH": path, "PYTHONPATH": modules, "DVC_NO_ANALYTICS": "1"}


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command of this environment, in `folder`; it must succeed."""
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


# Ray that a process has started serves all stages that run in it.
RUN_STAGES = """
import os
os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
from pipeline.core.machine.environment import establish, stated_instructions
establish(stated_instructions())
from pipeline.params import load
from pipeline.stages.graph import STAGES, items
from pipeline.stages.run import run_stage
params = load()
if params.execution.executor == "ray":
    import ray
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
for stage in STAGES:
    for item in items(params, stage):
        print(run_stage(stage, item), flush=True)
"""


def run_stages(folder: Path) -> None:
    """Every stage of a project in the graph's order, in one process and without DVC.

    What a run of DVC makes, for a third of the time: for tests that ask for bytes alone.
    """
    run(folder, sys.executable, "-c", RUN_STAGES)


def tree(folder: Path) -> dict[str, str]:
    """Path → digest of everything that the graph has made in a project."""
    data = folder / "data"
    made = (path for path in data.rglob("[!.]*") if path.is_file() and "raw" not in path.parts)
    return {path.relative_to(data).as_posix(): digest_file(path) for path in sorted(made)}


AUTHOR = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
