"""What CONTRIBUTING.md shows is run: by the batteries, and from raw files to the report."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipeline.models.evaluation import figure_files
from pipeline.reporting import page as report
from pipeline.reporting.inputs import Absent, ReportInputs
from pipeline.reporting.options import ReportOptions
from tests.contributing import HERE, PAGE, examples, install
from tests.reporting.conftest import finished, inputs
from tests.reporting.reading import read

__all__ = ["finished", "inputs"]
LINES = 20
KINDS = {
    "encoder": "acme/series_moments.py",
    "tower": "acme/tanh_layer.py",
    "fusion": "acme/token_max.py",
    "kind of target": "acme/median.py",
    "metric": "acme/scored.py",
    "source": "acme/by_file_name.py",
    "modality": "acme/series/clean.py",
    "file format": "pipeline/modalities/text/__init__.py",
    "executor": "acme/largest_first.py",
    "section of the report": "pipeline/reporting/licences.py",
}
# Name of a plug-in → the battery that takes it up.
BATTERIES = {
    "series_moments": "tests/encoders/test_contract.py",
    "tanh_layer": "tests/models/test_towers.py",
    "token_max": "tests/models/test_fusion.py",
    "by_file_name": "tests/sources/test_contract.py",
    "series-text/csv": "tests/modalities/test_contract.py",
    "largest_first": "tests/execution/test_contract.py",
}
# Label → mean and deviation of its series.
LABELS = {"flat": (0.0, 0.1), "wild": (0.0, 2.0), "high": (4.0, 0.1)}
PIPELINE = ("-c", "from pipeline.cli.main import app; app()")
# As `pipeline stage` runs each, in one process.
RUN = """
import sys
from pipeline.stages.run import run_stage
for stage in sys.argv[1:]:
    name, _, item = stage.partition(" ")
    run_stage(name, item)
"""
STAGES = (
    "ingest",
    *("clean series", "clean text", "augment series", "augment text"),
    *("extract moments", "extract words", "curate"),
    *("train series", "train both", "evaluate series", "evaluate both", "report"),
)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside the repository in which the package `acme` is installed."""
    return install(tmp_path_factory.mktemp("site-packages"))


def run(elsewhere: Path, folder: Path, *command: str) -> str:
    """A command that finds `acme` beside this environment; it must succeed."""
    path = os.pathsep.join([str(HERE), str(elsewhere)])
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "DVC_NO_ANALYTICS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_every_kind_of_plug_in_has_its_example_and_its_battery() -> None:
    sections = re.split(r"^## Add an? ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    titles = {text.partition("\n")[0]: text for text in sections}
    assert titles.keys() == KINDS.keys()
    for title, path in KINDS.items():
        assert re.search(rf"^(# |<!-- ){path}", titles[title], re.MULTILINE), title
        batteries = re.findall(r"`(tests/[\w/]+\.py)`", titles[title])
        assert batteries, title
        assert all((HERE / battery).is_file() for battery in batteries)


def test_no_example_is_long() -> None:
    for path, text in examples().items():
        assert len([line for line in text.splitlines() if line.strip()]) <= LINES, path


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_batteries_take_the_examples_up(elsewhere: Path) -> None:
    chosen = " or ".join(name.partition("-")[0] for name in BATTERIES)
    told = run(elsewhere, HERE, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-k", chosen,
               "tests/test_contracts.py", *BATTERIES.values())  # fmt: skip
    for name, battery in BATTERIES.items():
        passed = re.findall(rf"^{battery}::\S*\[.*{name}.* PASSED", told, re.MULTILINE)
        assert len(passed) >= 2, (name, told)


@pytest.mark.slow
def test_a_file_format_is_taken_up_by_the_battery(tmp_path: Path) -> None:
    lines = ["def pytest_collection():"]
    for path in ("pipeline/modalities/text/__init__.py", "pipeline/modalities/text/examples.py"):
        module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        lines.append(f"    import {module}; exec({examples()[path]!r}, vars({module}))")
    (tmp_path / "with_examples.py").write_text("\n".join(lines))
    told = run(tmp_path, HERE, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-k", "markdown",
               "-p", "with_examples", "tests/modalities/test_contract.py")  # fmt: skip
    assert told.count("PASSED") >= 5, told


def test_a_section_of_the_report_is_drawn(
    inputs: ReportInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    templates = tmp_path / "templates"
    shutil.copytree(report.TEMPLATES, templates)
    added = examples()
    template = "pipeline/reporting/templates/licences.html"
    (templates / "licences.html").write_text(added[template])
    section: dict[str, Any] = {}
    exec(added["pipeline/reporting/licences.py"], section)
    monkeypatch.setattr(report, "TEMPLATES", templates)
    licences = report.Section("licences", "Licences", section["build"])
    monkeypatch.setattr(report, "SECTIONS", (*report.SECTIONS, licences))
    root = read(report.render(inputs, ReportOptions()))
    drawn = next(s for s in root.all("section") if s.attributes.get("id") == "licences")
    lines = [item.text.strip() for item in drawn.all("li")]
    held = {row["licence"] or "none" for row in inputs.curated}
    assert {line.partition(":")[0] for line in lines} == held
    assert isinstance(section["build"](type("Empty", (), {"curated": []}), ReportOptions()), Absent)


def params() -> dict[str, Any]:
    """A project of series alone, and of series and the texts beside them."""
    model = {
        "features": ["moments"],
        "tower": {"kind": "tanh_layer", "width": 16},
        "tasks": {"label": {}},
        "primary": "label",
        "epochs": 30,
        "batch_size": 16,
        "learning_rate": 0.05,
        "patience": 30,
        "modality_dropout": 0.0,
        "views": 1,
    }
    return {
        "seed": 0,
        "parts": {"mean_rows": 8, "max_bytes": 1 << 20},
        "sources": {
            "measured": {"kind": "by_file_name"},
            "tabled": {"kind": "folder", "targets": {"label": "label"}},
        },
        "fetch": {},
        "modalities": ["series", "text"],
        "targets": {"label": {"kind": "scored"}},
        "ingest": {"reject_limit": 0.1},
        "clean": {"series": {"reject_limit": 0.1}, "text": {}},
        "augment": {"series": {"views": 1}, "text": {"views": 1}},
        "features": {
            "moments": {"modality": "series", "encoder": "series_moments"},
            "words": {"modality": "text", "encoder": "hashing"},
        },
        "curate": {"min_components_per_class": 3, "max_component_share": 0.5},
        "models": {
            "series": model,
            "both": {**model, "features": ["moments", "words"], "fusion": "token_max"},
        },
        "evaluate": {"resamples": 100, "group_by": ["presence"]},
        "report": {"gallery": 4, "sheet": 2},
        "execution": {"executor": "largest_first"},
    }


def put_series(folder: Path) -> None:
    """24 series of each label, which the encoder tells apart, some with a text; one is none."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for label, (mean, deviation) in LABELS.items():
        for number in range(24):
            values = rng.normal(mean, deviation, 20 + number)
            name = f"{label}-{number}"
            (folder / f"{name}.csv").write_text(",".join(f"{value:.4f}" for value in values))
            if number % 4 == 0:
                (folder / f"{label}-{number}.txt").write_text(f"it is {label}, number {number}")
    (folder / "flat-99.csv").write_text("1,two,3")


def put_table(folder: Path) -> None:
    """A series in a cell, and one in a file whose ending says what it is."""
    folder.mkdir(parents=True)
    (folder / "beside.csv").write_text("4.1,3.9")
    (folder / "metadata.csv").write_text(
        'sample_id,series,file_name,label\ncell,"0.1,-0.1,0",,flat\nfile,,beside.csv,high\n'
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_modality_from_elsewhere_goes_from_raw_files_to_the_report(
    elsewhere: Path, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    put_series(project / "data" / "raw" / "measured" / "first")
    put_table(project / "data" / "raw" / "tabled" / "first")
    (project / "params.yaml").write_text(yaml.safe_dump(params()))
    run(elsewhere, project, "-c", RUN, *STAGES)
    data = project / "data"

    manifest = json.loads((data / "clean" / "series" / "_manifest.json").read_text())
    made_by = manifest["function"]
    assert {"acme.series.clean", "acme.series_moments"} < made_by["code"].keys()
    assert "numpy" in made_by["libraries"]
    assert "acme" not in made_by["libraries"]
    with (data / "evaluation" / "series" / "groups.csv").open() as file:
        groups = {(row["split"], row["value"]): row for row in csv.DictReader(file)}
    assert float(groups["test", "series"]["accuracy"]) > 0.9
    figures = figure_files.read_figures(data / "evaluation" / "series")["label"]["test"]
    assert 0 <= figures["brier"]["low"] <= figures["brier"]["value"] <= figures["brier"]["high"] < 1
    page = (data / "reports" / "index.html").read_text()
    assert "points" in page
    assert "Brier" in page

    looked = """
import json, numpy as np, pyarrow.compute as pc
from pipeline.search.hits import search_samples
from pipeline.search.question import question
from pipeline.store import open_store
store = open_store()
moments = store["moments"]
vectors = moments.to_numpy(["digest", "vector"], view=0)
asked = question(store, "moments", "4,4.1,3.9")
hits = search_samples(store, "moments", asked.query, 3)
print(json.dumps({
    "modality": moments.modality,
    "shape": vectors["vector"].shape,
    "asked": np.asarray(asked.query).tolist(),
    "tabled": store.samples().filter(pc.field("source") == "tabled")["series"].null_count,
    "nearest": [hit.targets["label"] for hit in hits],
}))
"""
    told = json.loads(run(elsewhere, project, "-c", looked).splitlines()[-1])
    refused = run(elsewhere, project, *PIPELINE, "rejects", "--json").splitlines()
    reasons = Counter((r["stage"], r["reason"]) for r in map(json.loads, refused))
    assert reasons == {("clean/series", "not_numbers"): 1, ("curate", "no_modality_left"): 1}
    assert told["modality"] == "series"
    assert told["shape"] == [74, 4]
    assert told["tabled"] == 0
    np.testing.assert_allclose(told["asked"], [4, np.std([4, 4.1, 3.9]), 3.9, 4.1], rtol=1e-6)
    assert told["nearest"] == ["high"] * 3
