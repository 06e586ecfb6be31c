"""Every figure of every model is told; what DVC compares is a handful of them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

import pipeline.params
from pipeline.cli.main import app
from pipeline.core.nested import flatten
from pipeline.models.evaluation import figure_files
from pipeline.models.evaluation.evaluate import Evaluation
from pipeline.models.evaluation.results import write_evaluation

SPLITS = ("validation", "test")
FIGURE = {"value": 0.5, "low": 0.25, "high": 0.75}
TEST = {"n": 8, "macro_f1": FIGURE, "accuracy": FIGURE, "majority": {"macro_f1": 0.125}}


@pytest.fixture
def project(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two models are evaluated, of three."""
    models = dict.fromkeys(("image", "gated", "late"))
    monkeypatch.setattr(pipeline.params, "load", lambda: SimpleNamespace(models=models))
    for model in ("image", "gated"):
        folder = Path("data", "evaluation", model)
        folder.mkdir(parents=True)
        both = {"sort": {"macro_f1": 0.5}, "size": {"macro_f1": 0.5}}
        headlines = {"test": both, "validation": both}
        figures = {"sort": {"test": TEST}, "size": {"test": TEST}}
        write_evaluation(folder, "sort", Evaluation(metrics=figures, headlines=headlines))


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["metrics", *arguments])
    assert done.exit_code == code, done.output
    return done.output


def test_all_figures_of_all_models_are_told_with_their_intervals(project: None) -> None:
    lines = [line.split("\t") for line in run().splitlines()]
    assert lines[0] == ["model", "task", "split", "figure", "value", "low", "high"]
    assert len(lines) == 1 + 2 * 2 * 4
    assert ["gated", "size", "test", "accuracy", "0.5", "0.25", "0.75"] in lines
    assert {line[0] for line in lines[1:]} == {"image", "gated"}


def test_as_json_a_number_is_a_number_and_nothing_is_null(project: None) -> None:
    rows = [json.loads(line) for line in run("gated", "--json").splitlines()]
    assert len(rows) == 2 * 4
    assert rows[0] == {"model": "gated", "task": "sort", "split": "test", "figure": "n",
                       "value": 8, "low": None, "high": None}  # fmt: skip
    assert rows[3]["figure"] == "majority/macro_f1"


def test_mistakes_are_said_in_words(project: None) -> None:
    assert "unknown model 'lite'; there are: gated, image, late" in run("lite", code=1)
    assert "no model is evaluated yet" in run("late", code=1)


def test_what_dvc_compares_is_few_and_the_table_has_all(project: None) -> None:
    folder = Path("data", "evaluation", "gated")
    named = dict(flatten(json.loads((folder / "metrics.json").read_text())))
    expected = {"test.sort.macro_f1", "test.size.macro_f1", "validation.sort.macro_f1"}
    assert {*named} == expected
    assert figure_files.read_figures(folder) == {"sort": {"test": TEST}, "size": {"test": TEST}}


def test_the_leaderboard_ranks_and_marks_what_is_not_known(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = {"image": 0.5, "gated": 0.75, "late": None}
    params = SimpleNamespace(
        models=dict.fromkeys(scores),
        modalities=("image", "text"),
        set_modalities={},
        targets={"sort": "multiclass"},
    )
    monkeypatch.setattr(pipeline.params, "load", lambda: params)
    for model, score in scores.items():
        folder, trained = (Path("data", kind, model) for kind in ("evaluation", "models"))
        folder.mkdir(parents=True)
        trained.mkdir(parents=True)
        figures = {"n": 8} if score is None else {"n": 8, "macro_f1": {**FIGURE, "value": score}}
        write_evaluation(
            folder, "sort", Evaluation(metrics={"sort": dict.fromkeys(SPLITS, figures)})
        )
        sets = ("image", "text") if model == "gated" else ("image",)
        card = {
            "primary_task": "sort",
            "tasks": {"sort": {"kind": "multiclass", "classes": ["a", "b"]}},
            "features": {name: {"modality": name, "shape": [1]} for name in sets},
        }
        (trained / "model.json").write_text(json.dumps(card))
    done = CliRunner().invoke(app, ["leaderboard"])
    assert done.exit_code == 0, done.output
    assert done.stderr == "macro_f1 of sort\n"
    assert [line.split("\t") for line in done.stdout.splitlines()] == [
        ["model", "test", "low", "high", "validation", "chosen"],
        ["gated", "0.750", "0.250", "0.750", "0.750", "fusion"],
        ["image", "0.500", "0.250", "0.750", "0.500", "single"],
        ["late", "—", "—", "—", "—", ""],
    ]
    (first, *_) = CliRunner().invoke(app, ["leaderboard", "--json"]).stdout.splitlines()
    assert json.loads(first)["test"] == 0.75


def test_dvc_compares_a_column_a_task(project: None) -> None:
    folder = Path("data", "evaluation", "gated")
    both = {"sort": {"macro_f1": 0.5, "accuracy": 0.7}, "size": {"rank_mae": 0.5, "kappa": 0.1}}
    write_evaluation(folder, "sort", Evaluation(headlines={"test": both, "validation": both}))
    assert json.loads((folder / "metrics.json").read_text()) == {
        "test": {"sort": {"macro_f1": 0.5}, "size": {"rank_mae": 0.5}},
        "validation": {"sort": {"macro_f1": 0.5}},
    }


def test_completion_is_typer_s_own() -> None:
    assert "--install-completion" in CliRunner().invoke(app, ["--help"]).output
