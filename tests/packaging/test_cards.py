"""Cards of a made-up run: what they say is what the run's records hold, in the hub's form."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard, ModelCard
from markdown_it import MarkdownIt

from pipeline.core.folders import CURATED
from pipeline.packaging.annex_iv import points
from pipeline.packaging.data_card import data_card
from pipeline.packaging.licences import HUB
from pipeline.packaging.limits import limits
from pipeline.packaging.markdown import code, escaped
from pipeline.packaging.model_card import Preprocessing, model_card
from pipeline.packaging.weights import EncoderWeights
from pipeline.params.sections import HandoverOptions
from pipeline.reporting.breakdown import COMPONENTS
from pipeline.reporting.format import count, percent
from pipeline.reporting.inputs import EvaluatedModel, ReportInputs
from tests.reporting import synthetic
from tests.reporting.conftest import inputs_of

MODEL = "attention"
SAID = HandoverOptions(
    provider="The Museum, post@example.org",
    intended_use="Sorting *drawings*.",
    out_of_scope="Photographs of people.",
    oversight="A curator looks at each.",
    licence="CC-BY-4.0",
)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> ReportInputs:
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "data").mkdir()
        synthetic.build(folder / "data", models=(MODEL,))
    return inputs_of(folder / "data", models=(MODEL,))


@pytest.fixture(scope="module")
def model(inputs: ReportInputs) -> EvaluatedModel:
    """With what training writes of itself and the made-up run leaves out."""
    (evaluated,) = inputs.evaluated
    evaluated.card["options"] |= {"tower": {"kind": "mlp"}, "towers": {}}
    evaluated.card["made_by"] = {"pixels": {"processor": "x86_64 avx2", "python": "3.11"}}
    evaluated.card["samples"] = {"train": {"seen": 60}, "validation": {"seen": 20}}
    evaluated.card["seed"] = 3
    for described in evaluated.card["tasks"].values():
        described |= {"kind": "multiclass", "temperature": 0.75}
    return evaluated


def written(inputs: ReportInputs, model: EvaluatedModel, handover: HandoverOptions) -> str:
    return model_card(
        inputs,
        model,
        data="toy",
        data_card="data_card.md",
        handover=handover,
        preprocessing=[Preprocessing("clean/image", {"max_side": 64}, "cd" * 32)],
        weights=[EncoderWeights("minilm", "minilm", "MIT", {"w.bin": "ef" * 32}, "with minilm==1")],
        digests={"model.safetensors": "ab" * 32},
        graph=True,
    )


def test_the_hubs_library_reads_the_header_and_the_figures(
    inputs: ReportInputs, model: EvaluatedModel, tmp_path: Path
) -> None:
    path = tmp_path / "README.md"
    path.write_text(written(inputs, model, SAID), encoding="utf-8")
    data = ModelCard.load(path).data
    assert data.license == "cc-by-4.0"
    assert data.license in HUB
    assert data.tags == ["image", "audio", "text", "multimodal"]
    assert data.language == ["ar", "en", "fr", "hi", "zh"]
    assert data.model_name == MODEL
    told = {(r.task_name, r.metric_type): r.metric_value for r in data.eval_results}
    measured = {
        (task, name): figure["value"]
        for task, splits in model.tasks.items()
        for name, figure in splits["test"].items()
        if isinstance(figure, dict) and "value" in figure
    }
    assert told == measured
    assert len(told) > 10
    assert {result.dataset_split for result in data.eval_results} == {"test"}
    assert {result.dataset_revision for result in data.eval_results} == {inputs.digests()[CURATED]}


def test_what_nobody_said_is_open_and_what_is_said_stands(
    inputs: ReportInputs, model: EvaluatedModel
) -> None:
    blank, said = (written(inputs, model, handover) for handover in (HandoverOptions(), SAID))
    assert blank.count("*Open: params.yaml does not say it.*") == 6
    assert "Open: params.yaml" not in said
    assert "license" not in blank.partition("\n---\n")[0]
    for text in (SAID.provider, SAID.intended_use, SAID.out_of_scope, SAID.oversight):
        assert text in said


def test_the_limits_are_those_of_the_evaluations_tables(model: EvaluatedModel) -> None:
    found = limits(model, "category")
    with (model.evaluated / "groups.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file)
                if (row["task"], row["split"]) == ("category", "test")]  # fmt: skip
    enough = [row for row in rows if int(row["components"]) >= COMPONENTS]
    assert found.small == len(rows) - len(enough)
    worst = min(enough, key=lambda row: float(row["accuracy"]))
    assert found.slices[0].name == f"language = {worst['value']}"
    assert found.slices[0].value == float(worst["accuracy"])
    assert [one.value for one in found.classes] == sorted(one.value for one in found.classes)
    assert found.masked[0].name == "image + audio + text"
    assert found.whole == model.tasks["category"]["test"]["accuracy"]["value"]
    assert ("absence", "image", 1.0) in [one[:3] for one in found.worse]
    sure, right = found.sure, found.right
    assert sure is not None
    assert right is not None
    assert right == pytest.approx(found.whole, abs=1e-6)


def test_the_card_tells_figures_intervals_and_every_digest(
    inputs: ReportInputs, model: EvaluatedModel
) -> None:
    text = written(inputs, model, SAID)
    figure = model.tasks["category"]["test"]["macro_f1"]
    low, high = percent(figure["low"]), percent(figure["high"])
    assert f"| macro-F1 | {percent(figure['value'])} % | {low} to {high} | 10.0 % |" in text
    for digest in ("ab" * 32, "cd" * 32, "ef" * 32):
        assert f"`{digest}`" in text
    assert "Logits are divided by 0.75" in text
    assert "| data, toy | GPL-2 |" in text or "not stated" in text


def test_every_point_of_the_annex_is_answered_or_open() -> None:
    blank, said = points(HandoverOptions(), "d.md"), points(SAID, "d.md")
    numbers = [point.number for point in said]
    assert numbers[:8] == [f"1({letter})" for letter in "abcdefgh"]
    assert numbers[8:] == [*(f"2({letter})" for letter in "abcdefgh"), *"3456789"]
    changed = [a.number for a, b in zip(blank, said, strict=True) if a.state != b.state]
    assert changed == ["1(a)", "1(h)", "2(e)"]
    assert all(point.here for point in said)


def test_the_data_card_counts_what_was_curated(inputs: ReportInputs, tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(data_card(inputs, "toy"), encoding="utf-8")
    card = DatasetCard.load(path)
    assert card.data.pretty_name == "toy"
    assert card.data.size_categories == "n<1K"
    assert set(card.data.license or ()) <= HUB | {"other"}
    assert f"{count(len(inputs.curated))} samples in" in card.text
    for split in ("train", "validation", "test"):
        n = sum(row["split"] == split for row in inputs.curated)
        assert f"| {split} | {count(n)} |" in card.text
    assert "| category space | 3 | 2 |" in card.text


@pytest.mark.parametrize("kind", ["model", "data"])
def test_each_table_is_whole(inputs: ReportInputs, model: EvaluatedModel, kind: str) -> None:
    """A row that lost its line makes a table end, and shows as text."""
    text = written(inputs, model, SAID) if kind == "model" else data_card(inputs, "toy")
    body = text.split("\n---\n", 1)[1]
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    assert sum(token.type == "table_open" for token in tokens) >= 8
    shown = [token.content for token in tokens if token.type == "inline"]
    assert not [content for content in shown if content.startswith("|") or "|---" in content]


@pytest.mark.parametrize("name", [synthetic.EVIL, "a|b", "*x* _y_ [z](u) `c`", "one\ntwo", "a_b\\"])
def test_a_name_is_shown_as_it_stands(name: str) -> None:
    table = f"| {escaped(name)} | {code('x')} |\n|---|---|\n"
    tokens = MarkdownIt("commonmark").enable("table").parse(table)
    (cell, _) = [token for token in tokens if token.type == "inline"]
    assert {child.type for child in cell.children or ()} <= {"text", "text_special"}
    assert "".join(child.content for child in cell.children or ()) == " ".join(name.splitlines())
