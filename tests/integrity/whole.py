"""A project with an output of each kind, under DVC, with a remote: small enough to be copied."""

from __future__ import annotations

import functools
import os
import shutil
from pathlib import Path

import pytest
import yaml

from pipeline.parts import artifact
from pipeline.store import open_store
from pipeline.store.nearest.index import id_index
from tests.dataset import AUTHOR, run
from tests.store.small import put_small
from tests.toy import Square, function, put, rows

PARTS = ("samples", "assets/image", "clean/image", "augmented/image")
ARTIFACTS = {
    "models/gated": ("model.json", "model.safetensors", "curves/plots/loss.tsv"),
    "evaluation/gated": ("metrics.json", "predictions.parquet", "per_class.csv"),
    "reports": ("index.html",),
}
FILES = ("ingest.json", "curated.json")
BATCH = "data/raw/s/2026-01"
# What is damaged, one of each kind: a glob below the project, and whether a stage makes it again.
KINDS = {
    "samples": "data/samples/*.parquet",
    "assets": "data/assets/image/*.parquet",
    "clean": "data/clean/image/*.parquet",
    "augmented": "data/augmented/image/*.parquet",
    "features": "data/features/look/*.parquet",
    "a manifest": "data/features/look/_manifest.json",
    "curated": "data/curated/*.parquet",
    "model": "data/models/gated/model.safetensors",
    "curve": "data/models/gated/curves/plots/loss.tsv",
    "a model's manifest": "data/models/gated/manifest.json",
    "evaluation": "data/evaluation/gated/predictions.parquet",
    "report": "data/reports/index.html",
    "counts": "data/curated.json",
    "raw": f"{BATCH}/a.txt",
    "sidecar": ".pipeline/store/*.ids",
}


def flip(path: Path) -> None:
    """Turn one bit over, and leave size, times and inode as they were."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(before.st_size // 2)
        (byte,) = file.read(1)
        file.seek(before.st_size // 2)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def chosen(pattern: str) -> Path:
    """The first file of a kind, by name, in the project that this is called in."""
    return sorted(Path().glob(pattern))[0]


@functools.cache
def _made(base: Path) -> None:
    project = base / "project"
    project.mkdir(parents=True)
    put_small(project)
    here = Path.cwd()
    os.chdir(project)
    try:
        for i, name in enumerate(PARTS):
            put(Path("data", name), Square(function()), rows([*range(i, i + 9)]))
        for name, files in ARTIFACTS.items():
            artifact.ArtifactPlan(
                Path("data", name), function(), {}, functools.partial(_fill, files)
            ).run()
        for name in FILES:
            Path("data", name).write_text(f'{{"of": "{name}"}}\n')
        Path(BATCH).mkdir(parents=True)
        Path(BATCH, "a.txt").write_text("a raw file")
        id_index(open_store()["look"], 0, "digest")
    finally:
        os.chdir(here)
    (project / ".gitignore").write_text("/data/**\n!/data/**/\n!/data/**/*.dvc\n/.pipeline/\n")
    run(project, "git", "init", "--quiet")
    run(project, "dvc", "init", "--quiet")
    run(project, "dvc", "remote", "add", "--quiet", "--default", "far", "../far")
    run(project, "dvc", "add", "--quiet", BATCH)
    listed = [f"models/gated/{name}" for name in ("manifest.json", *ARTIFACTS["models/gated"][:2])]
    outs = [*FILES, "samples", "assets", "clean/image", "augmented/image", "features/look"]
    outs += ["features/sound", "curated", "models/gated/curves", "evaluation/gated", "reports"]
    stages = {
        name.replace("/", "-").replace(".", "-"): {
            "cmd": "true",
            "outs": [{f"data/{name}": {"persist": True}}],
        }
        for name in (*outs, *listed)
    }
    (project / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    run(project, "dvc", "commit", "--quiet", "--force")
    run(project, "dvc", "push", "--quiet")
    run(project, "git", "add", "--all")
    run(project, "git", *AUTHOR, "commit", "--quiet", "--message", "all of it")


def _fill(names: tuple[str, ...], folder: Path) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"what stands in {name}\n" * 9)


@pytest.fixture
def whole(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A copy of its own, as the working directory; its remote is ../far."""
    base = tmp_path_factory.getbasetemp() / "whole"
    _made(base)
    shutil.copytree(base, tmp_path / "base", ignore=shutil.ignore_patterns("hooks"))
    monkeypatch.chdir(tmp_path / "base" / "project")
    return tmp_path / "base" / "project"
