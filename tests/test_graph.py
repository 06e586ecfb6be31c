"""The graph as DVC sees it: no name reaches a shell, and only what may change bits runs a stage."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.core.files.digest import digest_json
from pipeline.core.registry import plugins
from pipeline.params import parse
from pipeline.parts.code import package_digest
from pipeline.stages.graph import labels, upstream
from pipeline.stages.plans.code import libraries
from tests.command import records
from tests.dataset import HERE, environment, put_batch, put_project, run
from tests.dataset import params as small

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
# Stages that DVC holds to the whole folder of features though they read some of its sets.
COARSE = {"train", "evaluate", "crossvalidate"}
TARGETS = ("clean@text", "extract@hashing")
FANS = {
    *("fetch", "look", "download", "clean", "augment", "extract", "train", "evaluate"),
    *("compress", "trials", "crossvalidate"),
}


def put_graph(folder: Path, names: tuple[str, ...]) -> None:
    """Both graphs over these names, and a `pipeline` that notes its arguments and fails.

    The stages have no dependencies, so that none waits for another and each is started; the params
    that `params` would have refused stand there.
    """
    folder.mkdir()
    run(folder, "dvc", "init", "--quiet", "--no-scm")
    (folder / "comparison").mkdir()
    for graph, place in (("dvc.yaml", "."), ("recipes/comparison.dvc.yaml", "comparison")):
        document = yaml.safe_load((HERE / graph).read_text())
        document["stages"].pop("params", None)
        for stage in document["stages"].values():
            del stage.get("do", stage)["deps"]
        (folder / place / "dvc.yaml").write_text(yaml.safe_dump(document))
    (folder / "params.yaml").write_text(yaml.safe_dump(hostile(names)))
    (folder / "data").mkdir()
    (folder / "data" / "params.json").write_text(json.dumps(hostile(names)))
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
    document["look"] = document["download"] = {name: {} for name in names}
    document["modalities"] = list(names)
    document["clean"] = document["augment"] = {name: {} for name in names}
    document["features"] = {name: {"modality": name, "encoder": "mfcc"} for name in names}
    document["compress"] = {name: {"model": name} for name in names}
    document["verification"] = {name: {"n": 0} for name in names}
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


@pytest.mark.parametrize("reproduced", [False, True])
def test_what_prune_removes_dvc_sees_only_where_it_was_locked(
    tmp_path: Path, reproduced: bool
) -> None:
    """A stage that reads all of data/features sees a set that params.yaml dropped."""
    run(tmp_path, "dvc", "init", "--quiet", "--no-scm")
    each = "data/features/${key}"
    stages = {
        "extract": {
            "foreach": "${features}",
            "do": {
                "cmd": f"mkdir -p {each} && touch {each}/part",
                "outs": [{each: {"persist": True}}],
            },
        },
        "train": {"cmd": "touch trained", "deps": ["data/features"], "outs": ["trained"]},
    }
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    less = small()
    del less["features"]["mfcc"], less["models"]["gated"]
    documents = [small(), less] if reproduced else [less]
    for document in documents:
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(document))
        run(tmp_path, "dvc", "repro")
    left = tmp_path / "data" / "features" / "mfcc"
    if not reproduced:
        left.mkdir()
        (left / "part").touch()
        assert "data/features" in run(tmp_path, "dvc", "status").stdout
    run(tmp_path, "pipeline", "prune", "--yes")
    assert not left.exists()
    assert ("data/features" in run(tmp_path, "dvc", "status").stdout) == reproduced
    run(tmp_path, "dvc", "repro")
    assert "up to date" in run(tmp_path, "dvc", "status").stdout


def test_dvc_runs_a_stage_after_those_that_it_reads(tmp_path: Path) -> None:
    run(tmp_path, "dvc", "init", "--quiet", "--no-scm")
    (tmp_path / "comparison").mkdir()
    for graph, copy in (
        ("dvc.yaml", "dvc.yaml"),
        ("recipes/comparison.dvc.yaml", "comparison/dvc.yaml"),
    ):
        shutil.copy(HERE / graph, tmp_path / copy)
    shutil.copy(HERE / "params.yaml", tmp_path)
    params = parse(yaml.safe_load((HERE / "params.yaml").read_text()))
    lines = run(tmp_path, "dvc", "dag", "--dot", "dvc.yaml").stdout
    lines += run(tmp_path, "dvc", "dag", "--dot", "comparison/dvc.yaml").stdout
    edges = {
        tuple(name.rpartition(":")[2].replace("@", "/") for name in edge)
        for edge in re.findall(r'"([^"]+)" -> "([^"]+)"', lines)
    }
    reads = {
        (source, stage)
        for stage in labels(params)
        for source in upstream(params, *stage.split("/"))
    }
    reads |= {("code", stage) for stage in labels(params) if stage != "code"}
    reads |= {("params", stage) for stage in labels(params) if stage not in ("code", "params")}
    assert reads <= edges
    coarse = {(source.split("/")[0], stage.split("/")[0]) for source, stage in edges - reads}
    assert coarse == {("extract", stage) for stage in COARSE}


@pytest.fixture
def encoded(tmp_path: Path) -> Path:
    """A project whose texts are encoded."""
    put_project(tmp_path / "project", executor="serial")
    put_batch(tmp_path / "project" / "data" / "raw" / "shapes" / "first", 0, 4)
    run(tmp_path / "project", "dvc", "repro", *TARGETS)
    return tmp_path / "project"


def ran(folder: Path) -> dict[str, int]:
    """Have DVC run what it sees a reason to: stage → the parts that it computed."""
    shutil.rmtree(folder / ".pipeline" / "runs")
    run(folder, "dvc", "repro", *TARGETS)
    assert "up to date" in run(folder, "dvc", "status", "code", "ingest", *TARGETS).stdout
    return {record["stage"]: record["computed"] for record in records(folder, "runs")}


def edit(folder: Path, path: str, before: str, after: str) -> None:
    text = (folder / "pipeline" / path).read_text()
    assert before in text
    (folder / "pipeline" / path).write_text(text.replace(before, after, 1))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_changes_no_code_runs_no_stage_and_what_does_runs_all(encoded: Path) -> None:
    locked = yaml.safe_load((encoded / "dvc.lock").read_text())["stages"]
    assert {*locked} == {
        "code",
        "params",
        "ingest",
        "clean@text",
        "augment@text",
        "extract@hashing",
    }
    edit(encoded, "encoders/hashing.py", '"""', '"""Read this: ')
    edit(encoded, "modalities/text/clean.py", "from __future__", "# A comment.\nfrom __future__")
    assert ran(encoded) == {"code": 0}
    after = yaml.safe_load((encoded / "dvc.lock").read_text())["stages"]
    assert after.pop("code")["outs"] == locked.pop("code")["outs"]
    assert after == locked

    stages = ["params", "ingest", "clean/text", "augment/text", "extract/hashing"]
    started = dict.fromkeys(stages, 0)
    edit(encoded, "reporting/templates/page.html", "<", "<!-- --><")
    assert ran(encoded) == {"code": 1, **started}
    with (encoded / "pipeline" / "encoders" / "hashing.py").open("a") as file:
        file.write("\nUNUSED = 1\n")
    assert ran(encoded) == {"code": 1, **started, "extract/hashing": 4}
    assert ran(encoded) == {}


def test_a_project_without_a_folder_of_the_package_runs_the_one_that_is_installed(
    tmp_path: Path,
) -> None:
    put_project(tmp_path / "project", executor="serial")
    folder = tmp_path / "project"
    shutil.rmtree(folder / "pipeline")
    graph = (folder / "dvc.yaml").read_text()
    (folder / "dvc.yaml").write_text(graph.replace("deps: [pipeline, ", "deps: ["))
    run(folder, "dvc", "repro", "code")
    digest = digest_json([package_digest(plugins()), libraries()])
    assert (folder / "data" / "code.sha256").read_text().strip() == digest
    assert "up to date" in run(folder, "dvc", "status", "code").stdout
