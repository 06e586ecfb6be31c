"""`pipeline init` lays out a project that runs, or leaves nothing behind."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
import yaml

from pipeline.cli import init
from pipeline.params import load, parse
from pipeline.project import layout
from pipeline.project.layout import EXAMPLE
from pipeline.stages.plans import ingest
from tests.command import call
from tests.dataset import AUTHOR, CLASSES, HERE, picture, write_metadata
from tests.test_docs import OWN_DATA


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command in a project that holds no copy of the package; it must succeed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    known = {**os.environ, "PATH": path, "PYTHONPATH": str(HERE), "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=known, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


def put_kaggle(folder: Path) -> None:
    """A table with columns of its own names, and pictures in a folder beside it."""
    (folder / "images").mkdir(parents=True)
    rows = []
    for label in CLASSES:
        for i in range(12):
            (folder / "images" / f"{label}{i}.png").write_bytes(picture(label, i))
            text = f"this one is a {label} and bears number {i}"
            rows.append({"id": len(rows), "image": f"{label}{i}.png", "note": text, "shape": label})
    with (folder / "train.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def put_classes(folder: Path) -> None:
    """A folder for each class, and no table."""
    for label in CLASSES:
        (folder / label).mkdir(parents=True)
        for i in range(12):
            (folder / label / f"{i}.png").write_bytes(picture(label, i))


def test_a_project_without_data_has_params_that_hold(inside: Path) -> None:
    code, output = call("init", "mine")
    assert code == 0, output
    assert load(Path("mine", "params.yaml")) == parse(yaml.safe_load(EXAMPLE))
    assert Path("mine", ".dvc", "config").is_file()
    graph, shipped = Path("mine", "dvc.yaml").read_text(), (HERE / "dvc.yaml").read_text()
    assert graph == shipped.replace(layout.HERE, layout.ELSEWHERE) != shipped
    assert yaml.safe_load(graph)["stages"]["code"]["always_changed"]
    assert not Path("mine", "pipeline").exists()


def test_what_dvc_says_to_git_add_can_be_added(inside: Path) -> None:
    put_classes(inside / "data of mine")
    code, output = call("init", "mine", "--data", "data of mine")
    assert code == 0, output
    assert "`dvc repro`, `git add .`, `git commit`" in output
    project = inside / "mine"
    run(project, "git", "add", "data/raw/mine/data of mine.dvc", "data/raw", ".")
    listed = run(project, "git", "ls-files").stdout.splitlines()
    assert {"data/raw/mine/data of mine.dvc", "params.yaml", "dvc.yaml"} <= {*listed}
    assert not [name for name in listed if name.endswith(".png")]
    put_classes(inside / "more")
    (inside / "more" / "circle" / "new.png").write_bytes(picture("circle", 99))
    (project / "data" / "raw" / "mine" / "by hand").mkdir()
    (project / "data" / "raw" / "mine" / "by hand" / "a").write_text("a")
    told = run(project, "dvc", "add", "data/raw/mine/by hand").stdout
    (command,) = (line.strip() for line in told.splitlines() if "git add" in line)
    run(project, "sh", "-ec", command)
    # Whoever clones it has the batches back: DVC reads .gitignore too, by rules of its own.
    run(project, "git", *AUTHOR, "commit", "--quiet", "--message", "batches")
    run(inside, "git", "clone", "--quiet", "mine", "clone")
    run(inside / "clone", "dvc", "cache", "dir", "--local", str(project / ".dvc" / "cache"))
    # No target is named: what is would be found whatever is ignored.
    run(inside / "clone", "dvc", "checkout", "--allow-missing")
    assert (inside / "clone/data/raw/mine/by hand/a").read_text() == "a"
    assert [*(inside / "clone/data/raw/mine/data of mine").rglob("*.png")]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("nowhere", "there is no folder"),
        ("empty", "neither a table"),
        ("unfit", "dvc.yaml: DVC or git would take it for its own"),
    ],
)
def test_nothing_is_left_of_what_cannot_be(inside: Path, data: str, message: str) -> None:
    Path("empty").mkdir()
    put_classes(inside / "unfit")
    Path("unfit", "dvc.yaml").write_text("")
    code, output = call("init", "mine", "--data", data)
    assert (code, message in output) == (1, True), output
    assert not Path("mine").exists()


def test_a_folder_that_holds_something_is_left_alone(inside: Path) -> None:
    Path("mine").mkdir()
    Path("mine", "work").write_text("of a year")
    code, output = call("init", "mine")
    assert (code, "mine holds something already" in output) == (1, True)
    assert [path.name for path in Path("mine").iterdir()] == ["work"]


def test_on_a_terminal_it_asks_until_the_answer_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["shap", "shape"])
    monkeypatch.setattr(typer, "prompt", lambda question, default: next(answers))
    assert init._ask("Which?", ["note", "shape"], "note") == "shape"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("put", "modalities"), [(put_kaggle, ["image", "text"]), (put_classes, ["image"])]
)
def test_from_a_folder_to_a_report_in_five_lines(
    tmp_path: Path,
    put: Callable[[Path], None],
    modalities: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of the manual."""
    monkeypatch.setenv("HOME", str(tmp_path))
    put(tmp_path / "my-data")
    told = run(tmp_path, "sh", "-ec", "\n".join(OWN_DATA)).stdout
    assert "nothing was refused" in told
    assert told.splitlines()[-1].endswith("data/reports/index.html")
    project = tmp_path / "mine"
    params = yaml.safe_load((project / "params.yaml").read_text())
    assert params["modalities"] == modalities
    assert "clean" not in params
    assert (project / "data" / "reports" / "index.html").is_file()
    models = {path.name for path in (project / "data" / "evaluation").iterdir()}
    assert models == set(params["models"])
    metrics = json.loads((project / "data/evaluation/image/metrics.json").read_text())
    (target,) = params["targets"]
    assert 0 <= metrics["test"][target]["macro_f1"] <= 1
    again = run(project, "dvc", "repro").stdout
    assert again.count("Running stage") == 1
    assert "Running stage 'code'" in again


def test_a_table_beside_its_files_is_read_as_it_stands(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = inside / "my-data"
    mine.mkdir()
    rows = []
    for label in CLASSES:
        for i in range(12):
            (mine / f"{label}-{i}.png").write_bytes(picture(label, i))
            text = f"{label} {i}"
            rows.append({"file_name": f"{label}-{i}.png", "text": text, "label": label})
    write_metadata(mine, rows)
    code, output = call("init", "--data", "my-data", "mine")
    assert code == 0, output
    monkeypatch.chdir("mine")
    params = load()
    assert params.modalities == ("image", "text")
    assert ingest.plan(params).run().rows == len(rows)
