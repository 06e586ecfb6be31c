"""A project as files: the graph, params, git and DVC, in a folder that lies anywhere."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from pipeline.core.complaint import complaint
from pipeline.core.errors import PipelineError

# File of the project → the one of this package that it is a copy of.
COPIES = {
    "dvc.yaml": "graph.yaml",
    "recipes/comparison.dvc.yaml": "comparison.yaml",
    ".gitignore": "gitignore",
    ".dvcignore": "dvcignore",
}
# DVC sees no package that is installed elsewhere: the stage that digests it looks each time.
HERE = "    deps: [pipeline, requirements/lock.txt]\n"
ELSEWHERE = "    always_changed: true\n"
# For a project without data yet: the table that the source `folder` reads as it is.
EXAMPLE = """\
# What differs from the defaults; after a run data/params.json has every option.
sources:
  mine:                         # batches: `pipeline add FOLDER --source mine`
    kind: folder                # a metadata.csv with columns file_name, text, label
    targets: {label: label}     # column: target
modalities: [image, text]       # image, audio, text
targets:
  label: {kind: multiclass}
features:
  efficientnet_lite0: {modality: image, encoder: efficientnet_lite0}
  use_multilingual: {modality: text, encoder: use_multilingual}
curate: {join_on: {image: near}}
models:
  image: &model
    features: [efficientnet_lite0]
    tasks: {label: {}}
    primary: label
    views: 2                      # augmented views that training draws from
  text: {<<: *model, features: [use_multilingual]}
  gated: {<<: *model, features: [efficientnet_lite0, use_multilingual], fusion: gated}
"""


@contextmanager
def new_project(folder: Path, params: str) -> Iterator[None]:
    """Lay a project out; it goes again where the block fails.

    Raises
    ------
    PipelineError
        The folder holds something already, or git or DVC failed.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PipelineError(f"{folder} holds something already: name a new folder for the project")
    existed = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _call(folder, "git", "init", "--quiet")
        _call(folder, sys.executable, "-m", "dvc", "init", "--quiet")
        _call(folder, sys.executable, "-m", "dvc", "config", "core.analytics", "false")
        for name, original in COPIES.items():
            text = (files(__package__) / original).read_text(encoding="utf-8")
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text.replace(HERE, ELSEWHERE), encoding="utf-8")
        (folder / "params.yaml").write_text(params, encoding="utf-8")
        yield
    except BaseException:
        for path in folder.iterdir() if existed else ():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        if not existed:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _call(folder: Path, *command: str) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise PipelineError(f"{command[0]} is not installed, and a project needs it") from None
    if done.returncode:
        output = complaint(done.stderr or done.stdout)
        raise PipelineError(f"`{' '.join(command)}` failed in {folder}: {output}")
