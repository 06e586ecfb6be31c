"""What cannot be known stands as a dash, with the reason."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

from pipeline.models.evaluation.results import COLUMNS
from pipeline.reporting import leaderboard, summary
from pipeline.reporting.inputs import ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.page import render


def rewrite(root: Path, model: str, change: Callable[[dict[str, str]], dict[str, str] | None]):
    path = root / "evaluation" / model / "figures.csv"
    with path.open(newline="") as file:
        rows = [changed for row in csv.DictReader(file) if (changed := change(row))]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS["figures"])
        writer.writeheader()
        writer.writerows(rows)


def counts_alone(row: dict[str, str]) -> dict[str, str] | None:
    return row if row["figure"] in ("n", "components", "unseen") else None


def test_a_model_without_figures_is_not_ranked_and_the_reason_is_told(
    partial: Callable[..., ReportInputs],
) -> None:
    inputs = partial()
    rewrite(inputs.root, "audio", counts_alone)
    rewrite(inputs.root, "text", counts_alone)
    card = inputs.root / "models" / "audio" / "model.json"
    said = "the train split has no sample with 'category'"
    card.write_text(json.dumps({**json.loads(card.read_text()), "untrained": said}))
    built = leaderboard.build(inputs, ReportOptions())
    assert isinstance(built, dict)
    for board in built["boards"]:
        assert {row["model"].name for row in board["rows"]} == {
            "image",
            "concatenation",
            "attention",
        }
        assert {model.name: reason for model, reason in board["unmeasured"]} == {
            "audio": f"it is not trained: {said}",
            "text": "no test sample with the target has any of the modalities that it reads",
        }
    page = render(inputs, ReportOptions())
    assert re.search(r'"rank">—</span>\s*<span class="name"><strong>audio', page)


def test_figures_without_intervals_are_told_as_such(partial: Callable[..., ReportInputs]) -> None:
    inputs = partial()
    for model in inputs.models:
        rewrite(inputs.root, model, lambda row: {**row, "low": "", "high": ""})
    built = summary.build(inputs, ReportOptions())
    assert isinstance(built, dict)
    assert all(figure["low"] is None for figure in built["figures"].values())
    page = render(inputs, ReportOptions())
    assert "too few components for an interval" in page
    assert "Fewer than 5 components have no interval" in page
    assert ", no interval" in page  # what the chart says of itself


def test_the_data_card_tells_what_curation_warned_of(partial: Callable[..., ReportInputs]) -> None:
    inputs = partial()
    path = inputs.root / "curated.json"
    told = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps({**told, "warnings": ["test has no sample with audio: so"]}))
    assert "test has no sample with audio: so." in render(inputs, ReportOptions())
