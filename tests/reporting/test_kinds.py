"""Labels and numbers in the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.models.evaluation.evaluate import Split, evaluate
from pipeline.models.evaluation.figure_files import read_figures
from pipeline.models.evaluation.options import EvaluationOptions
from pipeline.models.evaluation.results import write_evaluation
from pipeline.models.saving import load_model, save_model
from pipeline.models.tasks import ranked_by
from pipeline.reporting import (
    breakdown,
    calibration,
    confusion,
    contributions,
    gallery,
    leaderboard,
    modelcards,
    robustness,
    subsets,
)
from pipeline.reporting.choice import select_by_validation
from pipeline.reporting.difference import model_difference
from pipeline.reporting.format import amount
from pipeline.reporting.inputs import Absent, EvaluatedModel, ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.page import render
from pipeline.reporting.sampling import Answer
from tests.models import world as worlds


@pytest.fixture(scope="module", params=["weight", "traits"])
def root(request, tmp_path_factory) -> Path:
    """A run whose primary task is of that kind."""
    tasks = {request.param: worlds.TASKS[request.param], **worlds.TASKS}
    return put_run(tmp_path_factory.mktemp("run"), tasks)


def put_run(root: Path, tasks: dict[str, dict[str, Any]]) -> Path:
    """A model of these tasks and its evaluation, the first task primary."""
    some = worlds.world(subjects=80)
    selected = worlds.chosen(tasks, epochs=4)
    trained, result, classes = worlds.fit(some, selected)
    folder, out = root / "models" / "m", root / "evaluation" / "m"
    folder.mkdir(parents=True)
    out.mkdir(parents=True)
    save_model(folder, trained, list(result["test"].sets), classes, selected, {"made_by": {}})
    groups = {
        "sort": some.targets["sort"],
        "voice": np.array([a["voice"] for a in some.attributes]),
    }
    splits = [
        Split(
            name, result[name], {key: values[some.split == name] for key, values in groups.items()}
        )
        for name in ("validation", "test")
    ]
    with torch.inference_mode():
        measured = evaluate("m", load_model(folder), splits, EvaluationOptions(resamples=100), 7)
    write_evaluation(out, selected.primary, measured)
    return root


def test_every_section_is_made(root: Path) -> None:
    inputs = ReportInputs(root, ["m"], ["image", "audio"], worlds.SETS, {}, "")
    choice = select_by_validation(inputs)
    assert choice is not None
    assert choice.shown.name == "m"
    for section in (breakdown, calibration, confusion, leaderboard, modelcards, subsets):
        made = section.build(inputs, ReportOptions())
        assert not isinstance(made, Absent), section.__name__
    made = leaderboard.build(inputs, ReportOptions())
    assert isinstance(made, dict)
    boards = {board["task"]: board for board in made["boards"]}
    assert boards.keys() == worlds.TASKS.keys()
    measured = read_figures(root / "evaluation/m")
    text = render(inputs, ReportOptions())
    assert "R² of weight, a number" in text
    for task, board in boards.items():
        learned, test = inputs.evaluated[0].task(task), measured[task]["test"]
        assert board["first"] == ranked_by(learned)
        assert [*board["figures"]] == [name for name in learned.FIGURES if name in test]
        for name, figure in board["figures"].items():
            assert f'<th scope="col">{figure.title}</th>' in text
            value, low, high = (
                amount(test[name][k], figure.share) for k in ("value", "low", "high")
            )
            between = f'<span class="between">{low} to {high}</span>'
            assert f'<span class="num">{value}</span> {between}' in text
    assert {"rank_mae", "kappa"} < boards["size"]["figures"].keys()
    for task in ("weight", "traits"):
        model = choice.shown
        assert model_difference(model, model, task, {"x": "c"}, 100, 0.95) is None


def test_a_card_shows_options_by_their_dotted_names(root: Path) -> None:
    inputs = ReportInputs(root, ["m"], ["image", "audio"], worlds.SETS, {}, "")
    (model,) = inputs.evaluated
    model.card["options"] = {"tower": {"hidden": 64}, "features": ["a", "b"], "fusion": None}
    built = modelcards.build(inputs, ReportOptions())
    assert isinstance(built, dict)
    (card,) = built["cards"]
    assert card["options"] == [("tower.hidden", "64"), ("features", "a, b"), ("fusion", "None")]


def test_a_number_has_no_weakest_slice(root: Path) -> None:
    inputs = ReportInputs(root, ["m"], ["image", "audio"], worlds.SETS, {}, "")
    (model,) = inputs.evaluated
    enough = {row["task"] for row in model.table("groups") if int(row["components"]) >= 10}
    assert "weight" in enough
    built = breakdown.build(inputs, ReportOptions())
    assert isinstance(built, dict)
    assert {one["task"] for one in built["weakest"]} == set(worlds.TASKS) - {"weight"}


def answers_of(kind: str, classes: list[str], said: str, *probabilities: float) -> list[Answer]:
    """What the gallery makes of one prediction."""
    sample = {"sample_id": "s", "component": "c", "kinds": []}
    model = EvaluatedModel("m", Path("none"), Path("none"), ())
    model.__dict__["card"] = {"tasks": {"t": {"kind": kind, "classes": classes}}}
    row = {"sample_id": "s", "split": "test", "task": "t", "truth": said, "prediction": said}
    model.__dict__["predictions"] = [{**row, "probabilities": list(probabilities)}]
    inputs = ReportInputs(Path("none"), [], [], {}, {}, "")
    inputs.__dict__["by_id"] = {"s": sample}
    return gallery._answers(inputs, model, "t")


def test_a_card_tells_the_probability_of_what_was_said() -> None:
    (yes,) = answers_of("binary", ["no", "yes"], "yes", 0.7, 0.3)
    assert (yes.confidence, yes.top[0]) == (0.3, ("no", 0.7))
    (median,) = answers_of("ordinal", ["s", "m", "l"], "m", 0.4, 0.25, 0.35)
    assert median.confidence == 0.25
    (labels,) = answers_of("multilabel", ["red", "round", "rare"], "red|round", 0.9, 0.6, 0.3)
    assert labels.confidence == 0.6
    (none,) = answers_of("multilabel", ["red", "round"], "|", 0.2, 0.1)
    assert none.confidence == 0.8


def test_a_number_is_on_no_card() -> None:
    assert answers_of("regression", [], "3.5") == []


@pytest.mark.parametrize(
    ("task", "kind", "without_classes"),
    [("weight", "regression", True), ("traits", "multilabel", False)],
)
def test_what_a_kind_of_task_lacks_is_the_reason_that_is_told(
    tmp_path: Path, task: str, kind: str, without_classes: bool
) -> None:
    put_run(tmp_path, {task: worlds.TASKS[task]})
    inputs = ReportInputs(tmp_path, ["m"], ["image", "audio"], worlds.SETS, {}, "")
    note = f"It shows tasks of {{}}, and there is none among {task} ({kind})."
    for section in (confusion, contributions, robustness):
        made = section.build(inputs, ReportOptions())
        assert made == Absent(note.format("one class per sample")), section.__name__
    for section in (breakdown, calibration, gallery, subsets):
        made = section.build(inputs, ReportOptions())
        if without_classes:
            assert made == Absent(note.format("classes or labels")), section.__name__
        elif section is not gallery:  # which shows curated samples, and there are none
            assert not isinstance(made, Absent), section.__name__
    assert ".csv" not in render(inputs, ReportOptions())
