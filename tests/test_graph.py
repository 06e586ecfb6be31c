"""DVC expands the graph before anything of ours looks at params.yaml: no name reaches a shell."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.dataset import HERE, environment, run

HOSTILE = (
    "x; touch made #",
    "$(touch made)",
    "`touch made`",
    "'; touch made; '",
    '"; touch made; "',
    "a\ntouch made\n",
    "a & touch made",
    "> made",
    "-x",
    "~",
    "x:ingest",
    "/etc",
)
# DVC takes these for places in params.yaml where nothing is, and stops.
LOST = ("../../precious", "../../../precious", "../../pipeline", "..", "a.b", "*")
FANS = {"fetch", "look", "clean", "augment", "extract", "train", "evaluate", "crossvalidate"}


def put_graph(folder: Path, names: tuple[str, ...]) -> None:
    """Both graphs over these names, and a `pipeline` that notes its arguments and fails.

    The stages have no dependencies, so that none waits for another and each is started.
    """
    folder.mkdir()
    run(folder, "dvc", "init", "--quiet", "--no-scm")
    (folder / "comparison").mkdir()
    for graph, place in (("dvc.yaml", "."), ("recipes/comparison.dvc.yaml", "comparison")):
        document = yaml.safe_load((HERE / graph).read_text())
        for stage in document["stages"].values():
            del stage.get("do", stage)["deps"]
        (folder / place / "dvc.yaml").write_text(yaml.safe_dump(document))
    (folder / "params.yaml").write_text(yaml.safe_dump(hostile(names)))
    (folder / "precious").mkdir()
    (folder / "precious" / "work").write_text("of a year")
    command = folder / "bin" / "pipeline"
    command.parent.mkdir()
    command.write_text(f"#!/bin/sh\nprintf '%s\\0' \"$#\" \"$@\" >> '{folder}/bin/calls'\nexit 1\n")
    command.chmod(0o755)


def hostile(names: tuple[str, ...]) -> dict[str, Any]:
    """Params in which every section that a graph fans out over has these names."""
    document: dict[str, Any] = yaml.safe_load((HERE / "params.yaml").read_text())
    document["sources"] = {name: {"kind": "stamps"} for name in names}
    document["fetch"] = {name: {"version": name} for name in names}
    document["look"] = {name: {} for name in names}
    document["modalities"] = list(names)
    document["clean"] = document["augment"] = {name: {} for name in names}
    document["features"] = {name: {"modality": name, "encoder": "mfcc"} for name in names}
    document["models"] = document["comparison"]["models"] = {name: {"n": 0} for name in names}
    return document


def dvc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    known = environment(folder)
    known["PATH"] = f"{folder / 'bin'}{os.pathsep}{known['PATH']}"
    return subprocess.run(
        ["dvc", *arguments], cwd=folder, env=known, capture_output=True, text=True, check=False
    )


def paths(folder: Path) -> set[Path]:
    """All that lies there but what DVC and the stand-in note."""
    return {path for path in folder.rglob("*") if {".dvc", "bin"}.isdisjoint(path.parts)}


def test_whatever_a_name_holds_it_reaches_the_command_as_one_word(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    put_graph(folder, HOSTILE + LOST)
    shutil.copytree(folder / "precious", folder / "pipeline")
    shutil.copytree(folder / "precious", tmp_path / "precious")
    before = paths(tmp_path)
    for graph in ("dvc.yaml", "comparison/dvc.yaml"):
        dvc(folder, "status", graph)
        done = dvc(folder, "repro", "--single-item", "--keep-going", graph)
        assert "failed to reproduce" in done.stderr
    assert paths(tmp_path) == before

    words = iter((folder / "bin" / "calls").read_text().split("\0")[:-1])
    calls = [[next(words) for _ in range(int(count))] for count in words]
    assert {tuple(call) for call in calls if "@" in call[1]} == {
        ("stage", f"{'comparison/dvc.yaml:' if fan == 'crossvalidate' else ''}{fan}@{name}")
        for fan in FANS
        for name in HOSTILE
    }


def test_what_a_batch_holds_is_no_part_of_the_graph(tmp_path: Path) -> None:
    run(tmp_path, "dvc", "init", "--quiet", "--no-scm")
    shutil.copy(HERE / ".dvcignore", tmp_path)
    ingest = {"cmd": "touch samples", "deps": ["data/raw"], "outs": ["samples"]}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"ingest": ingest}}))
    hidden = {"cmd": f"touch '{tmp_path}/made' out", "outs": ["out"]}
    batch = tmp_path / "data" / "raw" / "source" / "batch"
    for folder in (batch, batch / "deep"):
        folder.mkdir(parents=True)
        (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"hidden": hidden}}))
        (folder / "x.dvc").write_text("outs: [{path: gone, md5: 00000000000000000000000000000000}]")
    (batch / "kept").write_text("data")
    run(tmp_path, "dvc", "repro")
    assert (tmp_path / "samples").exists()
    assert not (tmp_path / "made").exists()
    assert run(tmp_path, "dvc", "stage", "list", "--all").stdout.split()[0] == "ingest"
    run(tmp_path, "dvc", "add", "data/raw/source/batch")
    assert "nfiles: 1\n" in (batch.parent / "batch.dvc").read_text()
