"""The page of the comparison, from tables made by hand and samples of a finished run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.models.comparison.candidate import CHOSEN, SEED_ENSEMBLE
from pipeline.reporting.comparison.data import ComparisonData
from pipeline.reporting.comparison.page import SECTIONS, render_comparison
from pipeline.reporting.comparison.sections import differences, labels, missing, probe, summary
from pipeline.reporting.inputs import Absent, ReportInputs
from pipeline.reporting.options import ReportOptions
from tests.reporting.reading import read


def board(model: str, kind: str, score: float) -> dict[str, Any]:
    return {
        "model": model, "kind": kind, "modalities": "image", "parameters": None,
        "macro_f1": score, "low": score - 0.05, "high": score + 0.05, "deviation": 0.01,
        "diverged": 0, "together": score, "accuracy": score, "ece": 0.02, "inner_macro_f1": score,
    }  # fmt: skip


def pair(model: str, other: str, value: float, corrected: float) -> dict[str, Any]:
    return {"model": model, "other": other, "value": value, "low": value - 0.02,
            "high": value + 0.02, "p": corrected / 2, "corrected": corrected}  # fmt: skip


def lost(model: str, shown: str, value: float) -> dict[str, Any]:
    return {"model": model, "shown": shown, "macro_f1": 0.5, "other": "image", "value": value,
            "other_macro_f1": 0.5 - value, "low": value - 0.02, "high": value + 0.02}  # fmt: skip


@pytest.fixture
def found(inputs: ReportInputs) -> ComparisonData:
    sample = inputs.curated[0]
    tables: dict[str, list[dict[str, Any]]] = {
        "leaderboard": [
            board(CHOSEN, "chosen", 0.9),
            board(SEED_ENSEMBLE, "chosen", 0.91),
            board("early", "fusion", 0.88) | {"diverged": 3},
            board("logistic:a", "baseline", 0.7),
            board("image", "single", 0.6),
            board("audio", "single", 0.3),
            board("chance:majority", "chance", 0.1),
        ],
        "paired": [pair(CHOSEN, "image", 0.28, 0.01), pair(CHOSEN, "early", -0.02, 0.8),
                   pair(CHOSEN, "logistic:a", 0.18, 0.06),
                   pair(SEED_ENSEMBLE, "logistic:a", 0.21, 0.04)],
        "missing": [
            lost(CHOSEN, "image", -0.06),
            {"model": CHOSEN, "shown": "audio", "macro_f1": 0.2},
            lost("early", "image", -0.04),
        ],
        "choices": [{"fold": 0, "model": "early", "inner_macro_f1": 0.8}],
        "classes": [
            {"model": model, "class": "<bird>", "n": 9, "components": 3, "f1": 0.5}
            for model in (CHOSEN, "image")
        ],
        "gaps": [{"fold": 1, "class": "<bird>", "lacking": "learnt"}],
        "shortcuts": [{"column": "<batch>", "macro_f1": 0.95},
                      {"column": "source", "macro_f1": 0.2}],
        "label_errors": [
            {"sample_id": sample["sample_id"], "component": sample["component"], "given": "<bird>",
             "suggested": "fish", "self_confidence": 0.02, "margin": 0.9, "disagreeing": 2,
             "same_label": 3}
        ],
    }  # fmt: skip
    about = {"task": "category", "n": 90, "components": 30, "classes": 2,
             "probe": {"macro_f1": 0.081, "plausible": 0.105, "p": 0.4,
                       "false_alarms": 0.001}}  # fmt: skip
    return ComparisonData(about, tables, inputs, 2, 3, 0.95, ReportOptions())


def without(found: ComparisonData, *names: str) -> ComparisonData:
    tables = {name: [] if name in names else rows for name, rows in found.tables.items()}
    return ComparisonData(found.summary, tables, found.inputs, 2, 3, 0.95, ReportOptions())


def test_every_section_is_drawn_and_names_are_escaped(found: ComparisonData) -> None:
    page = render_comparison(found)
    root = read(page)
    assert [one.attributes["id"] for one in root.all("section")] == [s.anchor for s in SECTIONS]
    assert "&lt;bird&gt;" in page
    assert "<bird>" not in page
    assert " style=" not in page
    assert render_comparison(found) == page


def test_the_best_of_a_kind_is_never_the_choice(found: ComparisonData) -> None:
    assert [found.best(kind) for kind in ("fusion", "single", "baseline", "partial")] == [
        "early", "image", "logistic:a", None,
    ]  # fmt: skip
    assert [found.mark(name) for name in (CHOSEN, "early", "image", "audio")] == [
        "fusion", "", "single", "",
    ]  # fmt: skip


def test_the_opening_names_the_gain_over_each_rival_and_whether_it_is_sure(
    found: ComparisonData,
) -> None:
    gains = summary(found)["gains"]
    assert gains == {
        "single": {**found.tables["paired"][0], "sure": "gain"},
        "baseline": {**found.tables["paired"][2], "sure": ""},
    }
    page = render_comparison(found)
    assert "a gain that stands" in page
    assert "too little to tell" in page
    assert {kind: row["model"] for kind, row in summary(found)["best"].items()} == {
        "fusion": CHOSEN, "together": SEED_ENSEMBLE, "single": "image",
        "baseline": "logistic:a",
    }  # fmt: skip
    assert "Its 3 seeds used as one" in page
    assert "+21.0 points (+19.0 to +23.0; p&nbsp;0.020, corrected 0.040)" in page
    assert page.count("· 3 diverged") == 1


def test_a_difference_is_coloured_only_if_it_is_sure(found: ComparisonData) -> None:
    data = differences(found)
    assert not isinstance(data, Absent)
    plots = {forest["other"]: str(forest["rows"][0][2]) for forest in data["forests"]}
    assert set(plots) == {"image", "early", "logistic:a"}
    assert 'class="row gain"' in plots["image"]
    assert 'class="row"' in plots["early"]
    assert "+28.0 points, interval +26.0 to +30.0" in plots["image"]


def test_more_than_five_points_lost_are_a_cost(found: ComparisonData) -> None:
    data = missing(found)
    assert not isinstance(data, Absent)
    assert data["models"] == [CHOSEN, "early"]
    (row, dear), (_, none) = data["panels"][0]["rows"]
    ((_, cheap),) = data["panels"][1]["rows"]
    assert row["other"] == "image"
    assert 'class="row loss"' in str(dear)
    assert none == ""
    assert 'class="row gain"' in str(cheap)
    assert 'class="limit"' in str(cheap)


def test_what_gives_the_target_away_is_marked(found: ComparisonData) -> None:
    data = probe(found)
    assert data["columns"] == [("<batch>", 0.95, True), ("source", 0.2, False)]
    page = render_comparison(found)
    assert page.count("gives it away") == 1
    assert "Find out why before trusting any figure." in page
    assert "Fold 1 has no sample of" in page
    none = {"shortcuts": [{"column": "source", "macro_f1": 0.2}], "gaps": []}
    page = render_comparison(replace(found, tables={**found.tables, **none}))
    assert "None tells it as well as the best baseline does" in page
    assert "Fold 1 has no sample of" not in page


def test_a_probe_that_finds_something_is_marked_with_its_p(found: ComparisonData) -> None:
    assert "p&nbsp;0.4). Nothing hints at answers" in render_comparison(found)
    guilty = {"macro_f1": 0.2, "plausible": 0.105, "p": 0.000999, "false_alarms": 0.001}
    page = render_comparison(replace(found, summary={**found.summary, "probe": guilty}))
    assert "p&nbsp;0.000999). <strong>Of runs without a leak 0.1&nbsp;% look so" in page
    assert "Nothing hints" not in page


def test_a_doubted_label_is_shown_with_what_the_sample_is(found: ComparisonData) -> None:
    data = labels(found)
    assert not isinstance(data, Absent)
    (card,) = data["cards"]
    row = found.inputs.curated[0]
    assert {*card["shown"], *card["absent"]} == {*found.inputs.modalities}
    assert [*card["shown"]] == [m for m in found.inputs.modalities if row[m]]


def test_what_is_not_there_is_left_out_with_its_reason(found: ComparisonData) -> None:
    page = render_comparison(without(found, "paired", "missing", "choices", "label_errors"))
    root = read(page)
    shown = [one.attributes["id"] for one in root.all("section")]
    assert shown == ["leaderboard", "classes", "probe", "words"]
    assert page.count("No model joins all modalities.") == 2
