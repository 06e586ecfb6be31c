"""Sections show what the stages left: the right rows, counted in full, examples bounded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.modalities.image import show as image
from pipeline.modalities.image.augment import apply
from pipeline.parts import manifest
from pipeline.reporting import augmentations, breakdown, datacard, gallery, lineage, rejects
from pipeline.reporting.content import unpack_contents
from pipeline.reporting.inputs import Absent, ReportInputs
from pipeline.reporting.options import ReportOptions
from tests.reporting import synthetic


def shown(built: dict[str, Any] | Absent) -> dict[str, Any]:
    assert not isinstance(built, Absent)
    return built


def test_views_are_what_their_recipes_make_of_training_assets(inputs: ReportInputs) -> None:
    options = ReportOptions(sheet=3, views=2)
    strip = shown(augmentations.build(inputs, options))["strips"][0]
    assert strip["modality"] == "image"
    assert len(strip["rows"]) == 3
    trained = {row["image"] for row in inputs.curated if row["split"] == "train"}
    recipes = {
        (row["digest"], row["view"]): json.loads(row["recipe"])
        for row in manifest.read(inputs.root / "augmented/image").to_pylist()
    }
    for row in strip["rows"]:
        assert row["digest"] in trained
        original = unpack_contents(inputs, "image", [row["digest"]])[row["digest"]]
        for view in row["views"]:
            made = apply(original, recipes[row["digest"], view["view"]])
            assert view["shown"] == image.show(made, options)


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ({"op": "flip"}, ("flip", "")),
        ({"op": "time_mask", "start": 0.25, "width": 0.5}, ("time mask", "start 0.25, width 0.5")),
        ({"op": "band", "high_hz": 4640.2, "seed": 9}, ("band", "high hz 4640")),
    ],
)  # fmt: skip
def test_a_recipe_is_told_in_words(operation: dict[str, Any], words: tuple[str, str]) -> None:
    assert augmentations._step(operation) == words


def test_every_reject_is_counted_and_few_are_told(inputs: ReportInputs) -> None:
    built = shown(rejects.build(inputs, ReportOptions(rejects=2)))
    written = sum(entry.rejected for stage in inputs.stages for entry in stage.entries)
    assert built["total"] == written == 22
    images = next(stage for stage in built["stages"] if stage["stage"] == "clean/image")
    assert [(r["reason"], r["n"], len(r["examples"]), r["more"]) for r in images["reasons"]] == [
        ("truncated", 6, 2, 4),
        ("empty", 1, 1, 0),
    ]


def test_splits_add_up_to_the_whole(inputs: ReportInputs) -> None:
    built = shown(datacard.build(inputs, ReportOptions()))
    for figure in ("samples", "groups", "components"):
        assert sum(split[figure] for split in built["splits"]) == built["total"][figure]
    assert built["total"]["samples"] == len(inputs.curated)
    assert sum(n for _, n, _ in built["presence"]) == len(inputs.curated)
    assert sum(n for _, n in built["licences"]) == len(inputs.curated)
    spreads = {spread["name"]: spread for spread in built["spreads"]}
    assert set(spreads) == set(synthetic.TARGETS)
    for spread in spreads.values():
        assert sum(row["n"] for row in spread["rows"]) == len(inputs.curated)
        for row in spread["rows"]:
            assert sum(n for _, n in row["by_split"]) == row["n"]
    assert built["set_aside"] == [("category", "space", {"samples": 3, "components": 2})]
    clips = inputs.stage("clean/audio")
    assert clips is not None
    assert built["cut"] == [("clean/audio", 3, clips.rows)]
    assert built["alike"] == [
        ("category", ["'a b'", "'a\\xa0b'"]),
        ("groups of toy", ["'Ann'", "'ann'"]),
    ]


def test_a_figure_stands_beside_the_best_single_one_of_its_task(inputs: ReportInputs) -> None:
    panels = shown(breakdown.build(inputs, ReportOptions()))["panels"]
    best = {
        task: max(
            ("image", "audio", "text"),
            key=lambda name: next(
                m.tasks[task]["validation"]["macro_f1"]["value"]
                for m in inputs.evaluated
                if m.name == name
            ),
        )
        for task in synthetic.TARGETS
    }
    for panel in panels:
        expected = best[panel["task"]]
        assert panel["other"] == (None if panel["model"] == expected else expected)
        assert all((row.other is None) == (panel["other"] is None) for row, _ in panel["rows"])
    titles = {panel["title"] for panel in panels}
    assert titles == {
        "F1 of each category",
        "F1 of each language",
        "Accuracy of category by language",
    }


def test_the_gallery_shows_test_samples_with_what_others_said(inputs: ReportInputs) -> None:
    built = shown(gallery.build(inputs, ReportOptions(gallery=24)))
    cards = [card for part in built["strata"] for card in part["cards"]]
    assert {card["sample"]["split"] for card in cards} == {"test"}
    single = built["choice"].single.name
    for card in cards:
        assert [aside["who"] for aside in card["asides"]] == ["language", f"{single} alone"]
        present = {m for m in inputs.modalities if card["sample"][m]}
        assert set(card["shown"]) == present
        assert set(card["absent"]) == set(inputs.modalities) - present


def test_the_lineage_names_every_output(inputs: ReportInputs) -> None:
    built = shown(lineage.build(inputs, ReportOptions()))
    names = {name for name, *_ in built["outputs"]}
    assert {"samples", "curated", "clean/image", "models/image", "evaluation/image"} <= names
    assert names == set(inputs.digests())
    assert built["libraries"] == [("numpy", "2.4.6")]


def test_the_weakest_slice_is_of_enough_components(inputs: ReportInputs) -> None:
    result = shown(breakdown.build(inputs, ReportOptions()))["weakest"]
    assert {(one["model"], one["task"]) for one in result} == {
        (model.name, task) for model in inputs.evaluated for task in model.tasks
    }
    for one in result:
        model = next(m for m in inputs.evaluated if m.name == one["model"])
        rows = [row for row in model.table("groups")
                if (row["task"], row["split"]) == (one["task"], "test")]  # fmt: skip
        enough = [float(row["accuracy"]) for row in rows if int(row["components"]) >= 10]
        assert one["accuracy"] == min(enough)
        assert one["components"] >= 10
