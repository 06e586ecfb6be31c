"""Tonight's labelled components are answered by models that knew nothing of them, once."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.monitoring.gate import Costs
from pipeline.nightly import costs as costing
from pipeline.nightly import fresh
from pipeline.nightly.costs import SAMPLES, costs, fastest
from pipeline.nightly.fresh import Answers, fresh_answers
from pipeline.nightly.journal import Delivery, Night
from pipeline.params import Params, load
from pipeline.params.aliases import Alias
from pipeline.parts import manifest
from pipeline.project.model_files import find_model
from pipeline.stages.plans import clean, curate, extract, ingest
from pipeline.store.trees.tree import WorkTree
from tests.dataset import put_batch, write_metadata

CHAMPION = Alias(model="gated", revision="c" * 40)
NIGHT = Night(
    "2026-03-02",
    "2026-03-02T02:30:00+00:00",
    "0" * 40,
    deliveries=[Delivery("shapes", "second", "inbox", "", "second", "taken")],
)


@pytest.fixture(scope="module")
def revisions(project: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The project as the model in use knew it, and as the last night left it: another model.

    Then a batch lands: two samples of each class, of which one picture is known, and a sample of
    the first batch's again.
    """
    revisions = {}
    for name in ("champion", "last"):
        revisions[name] = tmp_path_factory.mktemp(name) / "project"
        shutil.copytree(project, revisions[name], symlinks=True)
    revisions[CHAMPION.revision] = revisions["champion"]
    shutil.rmtree(revisions["last"] / "data/models/gated")
    shutil.copytree(project / "data/models/image", revisions["last"] / "data/models/gated")
    folder = project / "data/raw/shapes/second"
    rows = put_batch(folder, 100, 2)
    shutil.copy(project / "data/raw/shapes/first/circle-0.png", folder / "circle-100.png")
    write_metadata(folder, [*rows[:-1], {**rows[-1], "shape": ""}])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        params = load()
        ingest.plan(params).run()
        for modality in params.modalities:
            clean.plan(params, modality).run()
        for name in params.features:
            extract.plan(params, name).run()
        curate.plan(params).run()
    return revisions


@pytest.fixture
def params(project: Path, revisions: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.chdir(project)

    def at(here: Path, revision: str) -> WorkTree:
        return WorkTree(revisions[revision] / "data")

    def find(here: Path, model: str, revision: str) -> Any:
        return find_model(revisions[revision], model)

    monkeypatch.setattr(fresh.Revision, "at", at)
    monkeypatch.setattr(fresh, "find_model", find)
    monkeypatch.setattr(fresh, "read_records", lambda: [{"revision": "last"}, {"revision": None}])
    return load()


def asked(params: Params, night: Night = NIGHT) -> Answers | None:
    return fresh_answers(params, "gated", "shape", night, CHAMPION)


def test_both_answer_what_is_new_to_both(params: Params) -> None:
    """Not the picture that is known, nor the sample without a label."""
    answers = asked(params)
    assert answers is not None
    names = [f"shapes/second/{name}" for name in ("circle-101", "cross-100", "square-100")]
    for each in answers:
        assert [name for name in sorted(each) if "square-101" not in name] == names
        assert {answer.split for answer in each.values()} == {"fresh"}
        assert all(name.split("/")[2].startswith(a.truth) for name, a in each.items())
    before, after = answers
    assert before[names[0]].present == ("audio", "image", "text")
    assert after[names[0]].present == ("image",), "it is another model"


def test_a_group_or_a_batch_that_stood_before_is_not_fresh(
    params: Params, revisions: dict[str, Path]
) -> None:
    first = replace(NIGHT.deliveries[0], batch="first")
    assert asked(params, replace(NIGHT, deliveries=[first])) is None
    assert asked(params, replace(NIGHT, deliveries=[])) is None


def test_nothing_is_asked_of_one_model_twice_or_of_another_recipe(
    params: Params, revisions: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh, "read_records", lambda: [{"revision": CHAMPION.revision}])
    assert asked(params) is None
    monkeypatch.setattr(fresh, "read_records", lambda: [])
    assert asked(params) is None, "there was no night before"
    monkeypatch.setattr(fresh, "read_records", lambda: [{"revision": "last"}])
    code = revisions["last"] / "data/code.sha256"
    before = code.read_text()
    code.write_text("another")
    assert asked(params) is None
    code.write_text(before)
    assert asked(params) is not None


def test_what_cannot_be_asked_is_told_and_fails_no_night(
    params: Params, revisions: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    lost = revisions["last"] / "data/models/gated/model.json"
    lost.rename(lost.with_name("elsewhere"))
    try:
        assert asked(params) is None
    finally:
        lost.with_name("elsewhere").rename(lost)
    assert "no fresh components are asked: " in caplog.text


def test_latency_is_the_fastest_of_rounds_in_turns() -> None:
    """The first round, in which encoders are loaded, does not count."""
    moments = iter([0, 9, 9, 29, 30, 32, 32, 36, 40, 43, 43, 46, 50, 54, 54, 59])
    order: list[str] = []
    answers = [lambda samples: order.append("a"), lambda samples: order.append("b")]
    samples: Any = [None] * 4
    assert fastest(answers, samples, lambda: next(moments)) == [500.0, 750.0]
    assert "".join(order) == "abababab"


def test_costs_are_measured_from_raw_files(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    record = {
        "revision": CHAMPION.revision,
        "stages": [{"stage": "train/gated", "computed": 1, "cpu_seconds": 7.5}],
    }
    monkeypatch.setattr(costing, "read_records", lambda: [record])
    asked = []

    class Model:
        def predict(self, samples: list[Any]) -> None:
            asked.append([sample.sample_id for sample in samples])

    monkeypatch.setattr(costing.Predictor, "load", lambda *arguments: Model())
    before, after = costs(params, "gated", CHAMPION)
    assert None not in (before.latency_ms, after.latency_ms)
    assert before.training_seconds == 7.5
    test = {
        row["sample_id"]
        for row in manifest.read(Path("data/curated"), ["sample_id", "split"]).to_pylist()
        if row["split"] == "test"
    }
    assert len(asked) == 8
    assert len(asked[0]) == min(SAMPLES, len(test))
    assert set(asked[0]) <= test


def test_what_models_take_is_not_known_where_one_cannot_be_asked(
    params: Params, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(costing, "read_records", lambda: [])
    before, after = costs(params, "gated", CHAMPION.model_copy(update={"model": "gone"}))
    assert (before, after.latency_ms) == (Costs(), None)
    assert "what the models take to answer is not known: " in caplog.text
