"""Validation chooses; the test split is only looked at afterwards."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from pipeline.models.evaluation.figure_files import COLUMNS, TABLE, figure_rows
from pipeline.reporting.choice import rank_models, select_by_validation
from pipeline.reporting.inputs import ReportInputs


def write(root: Path, name: str, modalities: list[str], validation: float, test: float) -> None:
    trained, evaluated = root / "models" / name, root / "evaluation" / name
    trained.mkdir(parents=True)
    evaluated.mkdir(parents=True)
    features = {f"{m} set": {"modality": m, "shape": [4]} for m in modalities}
    (trained / "model.json").write_text(
        json.dumps({"features": features, "tasks": {}, "primary_task": "t"})
    )
    splits = {"validation": {"macro_f1": {"value": validation, "low": 0, "high": 1}},
              "test": {"macro_f1": {"value": test, "low": 0, "high": 1}}}  # fmt: skip
    with (evaluated / TABLE).open("w") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(figure_rows({"t": splits}))


def inputs(root: Path, *names: str) -> ReportInputs:
    return ReportInputs(root, names, ("a", "b"), {}, {}, "")


def test_validation_chooses_among_each_kind(tmp_path: Path) -> None:
    write(tmp_path, "a", ["a"], 0.5, 0.9)
    write(tmp_path, "b", ["b"], 0.6, 0.1)
    write(tmp_path, "early", ["a", "b"], 0.7, 0.2)
    write(tmp_path, "late", ["b", "a"], 0.4, 0.95)
    choice = select_by_validation(inputs(tmp_path, "a", "b", "early", "late"))
    assert choice is not None
    assert choice.fusion is choice.shown
    assert choice.shown.name == "early"
    assert choice.single is not None
    assert choice.single.name == "b"
    marks = {m.name: choice.mark(m) for m in inputs(tmp_path, "a", "b", "early").evaluated}
    assert marks == {"a": "", "b": "single", "early": "fusion"}


def test_ties_go_to_the_earlier_name(tmp_path: Path) -> None:
    for name in ("z", "y"):
        write(tmp_path, name, ["a", "b"], 0.5, 0.5)
    choice = select_by_validation(inputs(tmp_path, "z", "y"))
    assert choice is not None
    assert choice.shown.name == "y"


def test_without_a_fusion_the_single_one_is_shown(tmp_path: Path) -> None:
    write(tmp_path, "a", ["a"], 0.5, 0.9)
    choice = select_by_validation(inputs(tmp_path, "a"))
    assert choice is not None
    assert choice.fusion is None
    assert choice.shown.name == "a"


def test_nothing_evaluated_is_no_choice(tmp_path: Path) -> None:
    assert select_by_validation(inputs(tmp_path, "a")) is None


def test_the_leaderboard_ranks_by_test(tmp_path: Path) -> None:
    write(tmp_path, "a", ["a"], 0.9, 0.1)
    write(tmp_path, "b", ["b"], 0.1, 0.9)
    models = inputs(tmp_path, "a", "b").evaluated
    assert [model.name for model in rank_models(models, "t", "test")] == ["b", "a"]
    assert [model.name for model in rank_models(models, "t", "validation")] == ["a", "b"]
