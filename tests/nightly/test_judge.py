"""The gate is asked about what both models answered, and what it asked is kept once."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pipeline.core.errors import PipelineError
from pipeline.monitoring.contract import Violation
from pipeline.monitoring.gate import Costs
from pipeline.monitoring.ledger import frozen_level
from pipeline.nightly import judge as judging
from pipeline.nightly import watch
from pipeline.nightly.journal import Delivery, Night, Verdict
from pipeline.nightly.judge import judge, read_looks, write_looks
from pipeline.nightly.model_answers import Answer
from pipeline.nightly.options import NightlyOptions
from pipeline.nightly.watch import check_batches, drift, findings, with_learnt_contract
from pipeline.params import load, parse
from pipeline.params.aliases import Alias
from pipeline.parts import manifest
from pipeline.raw.held_samples import write_held

OPTIONS = NightlyOptions.model_validate({"inbox": {"shapes": {"root": "x"}}, "model": "gated"})
NIGHT = Night("2026-03-02", "2026-03-02T02:30:00+00:00", "0" * 40)
CHAMPION = Alias(model="gated", revision="a" * 40)


@dataclass
class Past:
    """A revision of data that lie in a folder."""

    folder: Path

    def file(self, path: str) -> Path:
        return self.folder / path

    def names(self, folder: str) -> list[str]:
        return ["first"]


@pytest.fixture
def past(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Past:
    """The project, in which a champion of an earlier revision is in use."""
    monkeypatch.chdir(project)
    monkeypatch.setattr(judging, "LOOKS", tmp_path / "looks.jsonl")
    for folder in ("evaluation/gated", "models/gated", "curated"):
        shutil.copytree(Path("data", folder), tmp_path / folder)
    past = Past(tmp_path)
    manifest = tmp_path / "models/gated/manifest.json"
    manifest.write_text(json.dumps({"key": "that of another"}))
    monkeypatch.setattr(judging.Revision, "at", lambda *arguments: past)
    # Which tests of their own look at.
    monkeypatch.setattr(judging, "fresh_answers", lambda *arguments: None)
    monkeypatch.setattr(judging, "costs", lambda *arguments: (Costs(), Costs()))
    return past


def answer(past: Past, wrong: float) -> None:
    """Let the champion's answers be wrong in a share of the samples, and else right."""
    path = past.file("evaluation/gated/predictions.parquet")
    rows = pq.read_table(path).to_pylist()
    rng = np.random.default_rng(0)
    for row in rows:
        others = [label for label in ("circle", "square", "cross") if label != row["truth"]]
        row["prediction"] = others[0] if rng.random() < wrong else row["truth"]
    schema = pq.read_schema(path)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)


def test_the_first_model_is_promoted(past: Past) -> None:
    verdict = judge(load(), OPTIONS, NIGHT, None)
    assert (verdict.outcome, verdict.rule) == ("promoted", "first")


def test_the_same_model_stays(past: Past) -> None:
    shutil.copy("data/models/gated/manifest.json", past.file("models/gated/manifest.json"))
    verdict = judge(load(), OPTIONS, NIGHT, CHAMPION)
    assert (verdict.outcome, verdict.rule, verdict.looks) == ("held", "same", [])


def test_a_challenger_that_is_no_better_is_held(past: Past) -> None:
    answer(past, wrong=0)
    verdict = judge(load(), OPTIONS, NIGHT, CHAMPION)
    assert (verdict.outcome, verdict.rule) == ("held", "validation")
    assert verdict.figures["gain"] <= 0
    assert verdict.why.startswith("Held: on the validation split")


def test_luck_on_few_components_does_not_promote(past: Past) -> None:
    answer(past, wrong=0.9)
    verdict = judge(load(), OPTIONS, NIGHT, CHAMPION)
    (look,) = verdict.looks
    # The share of fresh components stays theirs on nights without any.
    gate = load().monitoring.gate
    error = gate.error * (1 - gate.fresh_share)
    assert look["level"] == frozen_level([], "test", look["champion"], error)
    assert (look["kind"], look["claim"], look["night"]) == ("frozen", "better", "2026-03-02")
    assert verdict.figures["gain"] > 0.3
    assert verdict.outcome == ("promoted" if look["e_value"] * look["level"] >= 1 else "held")
    # What was asked is kept once, however often a run is resumed, and read back as it was.
    for _ in range(2):
        write_looks(replace(NIGHT, verdict=verdict))
    (kept,) = read_looks()
    assert (kept.night, kept.e_value, kept.level) == ("2026-03-02", look["e_value"], look["level"])
    later = judge(load(), OPTIONS, replace(NIGHT, run="2026-03-03"), CHAMPION)
    assert later.looks[0]["level"] < look["level"], "each look leaves less to spend"


def test_fresh_components_are_asked_beside_the_frozen_ones(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of tonight's samples, which no weight of a class comes from."""
    answer(past, wrong=0.9)
    tonight = sorted(one_of_each_component())[::3][:12]
    fresh = [
        {name: Answer("fresh", truth, said or truth, ("image",)) for name, truth in tonight}
        for said in ("circle", "")
    ]
    monkeypatch.setattr(judging, "fresh_answers", lambda *arguments: tuple(fresh))
    verdict = judge(load(), OPTIONS, NIGHT, CHAMPION)
    looks = {look["kind"]: look for look in verdict.looks}
    assert looks["fresh"]["components"] == verdict.figures["fresh_components"] == 12
    assert looks["fresh"]["observations"] == 12
    share = sum(truth != "circle" for _, truth in tonight) / 12
    assert verdict.figures["fresh_gain"] == pytest.approx(share, abs=0.2)
    assert looks["fresh"]["e_value"] == verdict.figures["fresh_evidence"] > 1
    write_looks(replace(NIGHT, verdict=verdict))
    later = judge(load(), OPTIONS, replace(NIGHT, run="2026-03-03"), CHAMPION)
    (look,) = (look for look in later.looks if look["kind"] == "fresh")
    assert look["observations"] == 24, "the stream goes on"


def one_of_each_component() -> list[tuple[str, str]]:
    """(sample, truth) of all curated samples, each a component of its own."""
    rows = manifest.read(Path("data/curated"), ["sample_id", "target.shape", "component"])
    by_component = {row["component"]: row for row in rows.to_pylist()}
    return [(row["sample_id"], row["target.shape"]) for row in by_component.values()]


def test_what_models_cost_stands_in_the_verdict(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(past, wrong=0.9)
    monkeypatch.setattr(judging, "costs", lambda *arguments: (Costs(2.0, 5.0), Costs(9.0, 6.0)))
    verdict = judge(load(), OPTIONS, NIGHT, CHAMPION)
    assert (verdict.outcome, verdict.rule) == ("held", "costs")
    assert "takes 9 ms a sample to answer, the model in use 2; up to 1.5 times" in verdict.why
    assert verdict.figures["latency_ms_after"] == 9.0
    assert verdict.figures["training_seconds_before"] == 5.0


def test_withdrawn_samples_are_a_demand(past: Past) -> None:
    split = manifest.read(Path("data/curated"), ["sample_id", "split"]).to_pylist()
    learnt = next(row["sample_id"] for row in split if row["split"] == "train")
    _, batch, sample = learnt.split("/")
    folder = Path("data/raw/shapes")
    write_held(folder, {(batch, sample): "its owner asked", ("gone", "x"): "of no batch"})
    try:
        verdict = judge(load(), OPTIONS, NIGHT, CHAMPION)
    finally:
        write_held(folder, {})
    assert "not_worse" in {look["claim"] for look in verdict.looks}


def test_a_class_that_the_champion_does_not_know_is_a_demand(past: Past) -> None:
    card = past.file("models/gated/model.json")
    document = json.loads(card.read_text())
    document["tasks"]["shape"]["classes"].remove("cross")
    card.write_text(json.dumps(document))
    verdict = judge(load(), OPTIONS, NIGHT, CHAMPION)
    assert {look["claim"] for look in verdict.looks} >= {"not_worse"}


def test_a_champion_that_cannot_be_read_is_said(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*arguments: object) -> None:
        raise PipelineError("no remote gives it")

    monkeypatch.setattr(judging.Revision, "at", lost)
    with pytest.raises(PipelineError, match=r"aliases\.yaml: the model in use.*no remote gives it"):
        judge(load(), OPTIONS, NIGHT, CHAMPION)


def test_what_a_person_broke_of_the_looks_is_said(past: Past) -> None:
    judging.LOOKS.write_text("{}\n")
    with pytest.raises(PipelineError, match="is damaged"):
        read_looks()
    judging.LOOKS.unlink()
    write_looks(replace(NIGHT, verdict=Verdict("nothing", "", "")))
    assert not judging.LOOKS.exists()


def test_a_contract_is_learnt_as_lines_and_kept(past: Past) -> None:
    before = Path("params.yaml").read_text()
    text = with_learnt_contract(before, load(), ["shapes"])
    assert text.startswith(before.rstrip())
    assert "    samples: {low: " in text
    document = yaml.safe_load(text)
    learnt = parse(document)
    deliveries = [Delivery("shapes", "first", "inbox", "", "first", "taken")]
    assert check_batches(learnt, deliveries).held == {}
    # A person's own limits of it: no batch has so many samples.
    document["contract"]["shapes"]["samples"] = {"low": 1000, "high": 2000}
    held = check_batches(parse(document), deliveries).held
    assert "1000 to 2000 are usual" in held["shapes", "first"]
    # Learnt again, the section is replaced and what follows stands.
    again = with_learnt_contract(text + "execution: {}\n", learnt, ["shapes"])
    assert yaml.safe_load(again) == {**yaml.safe_load(text), "execution": {}}
    assert again.count("contract:") == 1


def violation(level: str, batch: str, message: str, *ids: str) -> Violation:
    place = (level, "shapes", batch)
    return Violation(*place, "", "", 0.0, 0.0, 1.0, message, ids)  # type: ignore[arg-type]


def test_a_source_is_held_whole_and_rows_one_by_one() -> None:
    tonight = [("shapes", "a"), ("shapes", "b"), ("others", "c")]
    odd = findings(
        tonight,
        [
            violation("rows", "a", "one is long", "shapes/a/x/1"),
            violation("rows", "a", "one is new", "shapes/a/0", "shapes/a/x/1"),
        ],
    )
    assert (odd.held, odd.noted) == (
        {},
        {("shapes", "a"): "one is long; one is new; 2 of its samples are held"},
    )
    assert odd.rows["shapes", "a"] == {"0": "one is new", "x/1": "one is long; one is new"}
    both = [violation("batch", "a", "no sound"), violation("rows", "a", "one is long")]
    assert findings(tonight, both).held == {("shapes", "a"): "no sound"}
    wide = findings(tonight, [violation("source", "a", "another schema")])
    assert wide.held == {
        ("shapes", "a"): "another schema",
        ("shapes", "b"): "all that shapes sent is held: another schema",
    }


def test_drift_is_that_of_tonight_against_the_rest(past: Past) -> None:
    deliveries = [Delivery("shapes", "first", "inbox", "", "first", "taken")]
    seen = drift(load(), "gated", deliveries, [])
    assert not seen.findings, "there is nothing to compare the first batch with"
    assert seen.p == 1.0
    unlabelled = [Delivery("shapes", "bare", "inbox", "", "bare", "taken")]
    assert drift(load(), "gated", unlabelled, []).p == 1.0, "curation left all of it out"


def test_attributes_that_are_watched_are_in_contract_and_drift(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def spy(name: str) -> None:
        function = getattr(watch, name)

        def called(*arguments: object) -> object:
            assert arguments[-1] == ("language",)
            asked.append(name)
            return function(*arguments)

        monkeypatch.setattr(watch, name, called)

    for name in ("learn_contract", "check_contract", "sample_columns"):
        spy(name)
    document = yaml.safe_load(Path("params.yaml").read_text())
    document["monitoring"] = {"attributes": ["language"]}
    text = with_learnt_contract(yaml.safe_dump(document), parse(document), ["shapes"])
    deliveries = [Delivery("shapes", "first", "inbox", "", "first", "taken")]
    check_batches(parse(yaml.safe_load(text)), deliveries)
    drift(parse(document), "gated", deliveries, [])
    assert asked == ["learn_contract", "check_contract", "sample_columns"]
