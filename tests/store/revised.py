"""The small store under git and DVC, at two revisions, in a subfolder of its repository."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline.parts.part import Row
from tests.dataset import AUTHOR, run
from tests.stages.plans.stored import Stored, asset
from tests.store.small import BATCHES, COUNT, picture, put_small
from tests.toy import function, put

FIRST = ("curated", "features/look", "features/sound")
SECOND = (*FIRST[:2], "features/words")
NEARLY = np.float32(1e-3)


def put_looks(data: Path) -> None:
    """Of the pictures, 2 is gone, 100 is new, 5 is another, and view 1 of 7 moved a little."""
    rows = []
    for i in [1, *range(3, COUNT), 100]:
        for view in range(3):
            changed = {(5, 0): picture(99), (7, 1): picture(7, 1) + NEARLY}.get((i, view))
            value = picture(i, view) if changed is None else changed
            key = f"{asset('image', str(i))}{view}{'' if changed is None else 'changed'}"
            batch = BATCHES[i % 3 == 2]
            rows.append(Row(asset("image", str(i)), key, "s", batch, 8, view, value))
    shutil.rmtree(data / "features" / "look")
    put(data / "features" / "look", Stored(function(), "extract/look"), rows, cut=(4, 1 << 20))


def put_words(data: Path) -> None:
    rows = [
        Row(asset("text", str(i)), f"{i}", "s", BATCHES[0], 8, 0, np.full(3, i, np.float32))
        for i in range(5)
    ]
    put(data / "features" / "words", Stored(function(), "extract/words"), rows, cut=(4, 1 << 20))


def put_graph(project: Path, outs: tuple[str, ...]) -> None:
    stages = {
        out.rpartition("/")[2]: {"cmd": "true", "outs": [{f"data/{out}": {"persist": True}}]}
        for out in outs
    }
    (project / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))


def keep(project: Path, message: str) -> None:
    """Give the outs to DVC's cache and its remote, and a commit of dvc.lock to git."""
    run(project, "dvc", "commit", "--quiet", "--force")
    run(project, "dvc", "push", "--quiet")
    run(project, "git", "add", "--all")
    run(project, "git", *AUTHOR, "commit", "--quiet", "--message", message)


@functools.cache
def _made(base: Path) -> None:
    project = base / "repository" / "project"
    put_small_project(project)
    git = ("git", "-C", str(base / "repository"))
    run(project, *git, "init", "--quiet", "--initial-branch", "main")
    run(project.parent, "dvc", "init", "--quiet")
    run(project, "dvc", "remote", "add", "--quiet", "--default", "far", "../../far")
    raw = project / "data" / "raw" / "s" / BATCHES[0]
    raw.mkdir(parents=True)
    (raw / "a.txt").write_text("a raw file")
    (raw / "empty.txt").touch()
    run(project, "dvc", "add", "--quiet", f"data/raw/s/{BATCHES[0]}")
    put_graph(project, FIRST)
    keep(project, "the first features")
    run(project, *git, "tag", "v1")
    run(project, *git, "branch", "early")
    shutil.rmtree(project / "data" / "features" / "sound")
    put_looks(project / "data")
    put_words(project / "data")
    document = yaml.safe_load((project / "params.yaml").read_text())
    document["features"] = {
        "look": {"modality": "image", "encoder": "x"},
        "words": {"modality": "text", "encoder": "x"},
    }
    (project / "params.yaml").write_text(yaml.safe_dump(document))
    put_graph(project, SECOND)
    run(project, "git", "rm", "--quiet", "--cached", "dvc.lock")
    (project / "dvc.lock").unlink()
    keep(project, "other pictures, and words for sounds")
    run(project, *git, "tag", "-m", "signed off", "v2")


def put_small_project(project: Path) -> None:
    project.mkdir(parents=True)
    put_small(project)
    (project / ".gitignore").write_text("/data/**\n!/data/**/\n!/data/**/*.dvc\n/.pipeline/\n")


@pytest.fixture
def revised(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A project with revisions v1 and v2, in a copy of its own. DVC's remote `far` has all."""
    base = tmp_path_factory.getbasetemp() / "revised"
    _made(base)
    shutil.copytree(base, tmp_path / "base", symlinks=True)
    return tmp_path / "base" / "repository" / "project"


def cache(project: Path) -> Path:
    """DVC's cache of it."""
    return project.parent / ".dvc" / "cache" / "files" / "md5"


def snapshot(folder: Path, without: str = "/.pipeline/") -> dict[str, tuple[int, bytes]]:
    """Time and bytes of every file."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and without not in str(path)
    }
