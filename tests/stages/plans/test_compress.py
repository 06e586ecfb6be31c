"""compress@name on the synthetic world: one compression that all tests look at."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_file
from pipeline.execution.run_record import summary_of
from pipeline.models.compression import measure
from pipeline.models.compression.options import CompressionOptions
from pipeline.models.evaluation.figure_files import read_figures
from pipeline.models.prediction import predict
from pipeline.models.saving import load_model
from pipeline.reporting.options import ReportOptions
from pipeline.stages.plans import evaluate, train
from pipeline.stages.plans.compress import plan
from tests.encoders import tiny_models
from tests.models.synthetic import SETS, options, split_of
from tests.reporting.reading import read
from tests.stages.plans.stored import params, store_world

ROOT = Path("data")
MODELS = {"m": options(fusion="gated", epochs=4, views=1)}
# What is quantised alone answers nearly as before; a student of one pass does not.
WAYS = {
    "small": CompressionOptions(model="m", ways=["quantise"], margin=5.0),
    "wrong": CompressionOptions(model="m", ways=["distil"], student={"epochs": 1}, margin=0.01),
}


def asked(**compress: CompressionOptions):
    given = {"compress": WAYS | compress, "modalities": tuple(SETS.values())}
    return params(MODELS, report=ReportOptions(), **given)


def unmeasured(patched: pytest.MonkeyPatch) -> None:
    """No process is started to see what memory a model takes; one compression is measured."""
    patched.setattr(measure, "memory", lambda folder: {"cold_s": 1.0, "peak_mb": 1})


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder, before = tmp_path_factory.mktemp("project"), Path.cwd()
    os.chdir(folder)
    try:
        store_world(ROOT, views=1)
        train.plan(asked(), "m").run()
        evaluate.plan(asked(), "m").run()
        told = {"small": summary_of(plan(asked(), "small").run())}
        with pytest.MonkeyPatch.context() as patched:
            unmeasured(patched)
            plan(asked(), "wrong").run()
        (folder / "told.json").write_text(json.dumps(told))
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def within(project, monkeypatch) -> Path:
    monkeypatch.chdir(project)
    return ROOT / "compressed"


def certificate(folder: Path) -> dict:
    return json.loads((folder / "certificate.json").read_text())


def test_a_compressed_model_is_loaded_as_any_other_and_has_its_figures(within):
    folder = within / "small"
    judged = certificate(folder)
    assert judged["holds"]
    assert not judged["reason"]
    assert judged["sizes"]["compressed"]["parameters"] == judged["sizes"]["model"]["parameters"]
    before, after = (load_model(each) for each in (ROOT / "models" / "m", folder))
    assert after.made_by == before.made_by
    test = split_of(_world(), "test")
    for subset in (None, ("audio",)):
        answers = [predict(each.network, test, each.priors, subset) for each in (before, after)]
        for task in before.classes:
            assert abs(answers[0][task] - answers[1][task]).max() < 0.1
    figures = read_figures(folder)
    assert figures["category"]["test"]["macro_f1"]["value"] == judged["tasks"][0]["compressed"]
    evaluated = read_figures(ROOT / "evaluation" / "m")
    assert evaluated["category"]["test"]["macro_f1"]["value"] == judged["tasks"][0]["model"]
    with (folder / "subsets.csv").open() as file:
        assert {row["subset"] for row in csv.DictReader(file)} >= {"image", "audio+text"}


def test_a_model_that_misses_the_margin_is_not_offered_and_says_why(within):
    judged = certificate(within / "wrong")
    assert not judged["holds"]
    assert "may be worse than 'm' by more than the margin of 0.01" in judged["reason"]
    with pytest.raises(PipelineError, match=r"model 'wrong' is not offered: it may be worse"):
        load_model(within / "wrong")
    assert load_model(within / "wrong", refused=True).network.tasks == ["category", "language"]
    with (within / "wrong" / "changed.csv").open() as file:
        changed = list(csv.DictReader(file))
    assert sum(row["task"] == "category" for row in changed) == judged["changed"]["category"] > 0


def test_the_network_that_a_student_begins_as_is_in_its_key_by_its_files(within, tmp_path):
    def planned(folder, *ways):
        tower = {"kind": "bert", "model": str(folder), "width": 8}
        given = CompressionOptions(model="m", ways=ways, student={"towers": {"words": tower}})
        return plan(asked(other=given), "other").fingerprint.weights

    before, after = (tiny_models.altered(tmp_path / f"{x}", x=x) for x in (0, 1))
    first, second = planned(before, "distil"), planned(after, "distil")
    assert {"words/config.json", "words/model.safetensors"} < first.keys()
    assert {name for name, md5 in first.items() if second[name] != md5} == {"words/config.json"}
    assert planned(before, "quantise").keys().isdisjoint({"words/config.json"})


def test_what_both_cost_stands_in_the_record_and_in_a_copy_of_the_page_alone(within, project):
    told = json.loads((project / "told.json").read_text())["small"]
    costs = told["costs"]
    for model in ("model", "compressed"):
        assert set(costs[model]) == {"one_ms", "samples_per_second", "cold_s", "peak_mb"}
        assert all(value > 0 for value in costs[model].values())
    assert costs["compressed"]["peak_mb"] < costs["model"]["peak_mb"]  # it has no torch
    page = (within / "small" / "index.html").read_text()
    copy = Path(".pipeline", "compressed", "small.html").read_text()
    assert copy.count("One sample, from features") == 1 > page.count("One sample, from features")
    assert not summary_of(plan(asked(), "small").run())["costs"]


def test_equal_inputs_give_equal_bytes_and_nothing_is_computed_twice(within, monkeypatch):
    unmeasured(monkeypatch)
    before = _digests(within / "wrong")
    assert plan(asked(), "wrong").run().computed == 0
    shutil.rmtree(within / "wrong")
    assert plan(asked(), "wrong").run().computed == 1
    assert _digests(within / "wrong") == before


def test_the_key_knows_the_model_its_options_and_the_code_of_the_student(within):
    gentler = asked(small=CompressionOptions(model="m", ways=["quantise"], margin=1.0))
    assert plan(gentler, "small").key != plan(asked(), "small").key
    other = {"tower": {"kind": "linear", "width": 8}}
    linear = asked(wrong=CompressionOptions(model="m", ways=["distil"], student=other))
    code = plan(linear, "wrong").fingerprint.code
    assert "pipeline.models.towers.linear" in code
    assert "pipeline.models.towers.linear" not in plan(asked(), "wrong").fingerprint.code


@pytest.mark.parametrize("name", WAYS)
def test_the_page_is_whole_and_shows_the_verdict(within, name):
    page = read((within / name / "index.html").read_text())
    judged = certificate(within / name)
    (verdict, *_) = page.all("span", class_="big")
    assert verdict.text == ("holds" if judged["holds"] else "none")
    ids = {each.attributes["id"] for each in page.all("section")}
    assert {"certificate", "figures", "slices"} <= ids
    rows = page.all("section", id="certificate")[0].all("tr")
    assert len(rows) == 1 + len(judged["tasks"]) + 1
    if not judged["holds"]:
        assert "Not offered as a model" in page.all("section", id="certificate")[0].text
    assert not [link for link in page.all("a") if "//" in (link.attributes["href"] or "")]
    cards = page.all("article")
    assert len(cards) == min(judged["changed"]["category"], ReportOptions().gallery)


def test_an_untrained_model_and_other_features_are_refused(within, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(ROOT, root)
    card = json.loads((root / "models" / "m" / "model.json").read_text())
    (root / "models" / "m" / "model.json").write_text(json.dumps(card | {"untrained": "no words"}))
    shutil.rmtree(root / "compressed")
    with pytest.raises(PipelineError, match=r"compress.small.model: 'm' is untrained.*no words"):
        plan(asked(), "small", root).run()
    other = card["made_by"]["words"] | {"python": "2.7"}
    made_by = card["made_by"] | {"words": other}
    (root / "models" / "m" / "model.json").write_text(json.dumps(card | {"made_by": made_by}))
    with pytest.raises(PipelineError, match="was trained on other features"):
        plan(asked(), "small", root).run()


def _world():
    from tests.models.synthetic import joined

    return joined()


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: digest_file(path) for path in folder.iterdir()}
