"""The models, ranked by macro-F1 or R² on the test split, each task for itself."""

from __future__ import annotations

from typing import Any

from pipeline.reporting.choice import choose, ranked
from pipeline.reporting.inputs import Absent, Inputs, Model
from pipeline.reporting.options import Options
from pipeline.reporting.plots.rows import axis, whisker
from pipeline.reporting.plots.scale import nice

COLUMNS = {
    "macro_f1": "macro-F1",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "weighted_f1": "weighted F1",
    "macro_precision": "macro precision",
    "macro_recall": "macro recall",
    "weighted_precision": "weighted precision",
    "weighted_recall": "weighted recall",
    "f1": "F1 of the positive class",
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "micro_f1": "micro-F1",
    "mean_average_precision": "mean average precision",
    "kappa": "quadratic kappa",
    "ece": "calibration error",
}
NUMBERS = {"r2": "R²", "mae": "MAE", "rmse": "RMSE", "spearman": "Spearman"}


def build(inputs: Inputs, options: Options) -> dict[str, Any] | Absent:
    choice = choose(inputs)
    if choice is None:
        return Absent("No model has been evaluated yet.")
    boards = []
    for task in _tasks(inputs, choice.task):
        models = [
            model
            for model in ranked(inputs.evaluated, task, "test")
            if "macro_f1" in model.tasks.get(task, {}).get("test", {})
        ]
        if not models:
            continue
        figures = [model.tasks[task]["test"] for model in models]
        scale = nice(
            (figure["macro_f1"][bound] for figure in figures for bound in ("low", "high")),
            within=(0.0, 1.0),
        )
        boards.append(
            {
                "task": task,
                "n": figures[0].get("n"),
                "components": figures[0].get("components"),
                "axis": axis(scale),
                "majority": figures[0].get("majority", {}).get("macro_f1"),
                "rows": [
                    {
                        "model": model,
                        "mark": choice.mark(model),
                        "test": figure,
                        "validation": model.tasks[task].get("validation", {}),
                        "plot": whisker(
                            figure["macro_f1"]["value"],
                            figure["macro_f1"]["low"],
                            figure["macro_f1"]["high"],
                            scale,
                            choice.mark(model),
                        ),
                    }
                    for model, figure in zip(models, figures, strict=True)
                ],
            }
        )
    return {
        "choice": choice,
        "boards": boards,
        "numbers": [
            {"task": task, "rows": rows}
            for task in _tasks(inputs, choice.task)
            if (rows := _numbers(inputs, task))
        ],
        "titles": NUMBERS,
        "confidence": inputs.confidence,
        "columns": {
            key: title
            for key, title in COLUMNS.items()
            if any(key in row["test"] for board in boards for row in board["rows"])
        },
    }


def _numbers(inputs: Inputs, task: str) -> list[tuple[Model, list[str]]]:
    """Models that predict a number, best first, with each figure and its interval as text."""
    return [
        (
            model,
            [
                "{value:.4g} ({low:.4g} to {high:.4g})".format(**test[name]) if name in test else ""
                for name in NUMBERS
            ],
        )
        for model in ranked(inputs.evaluated, task, "test")
        if "mae" in (test := model.tasks.get(task, {}).get("test", {}))
    ]


def _tasks(inputs: Inputs, primary: str) -> list[str]:
    """Every task that some model was evaluated on, the primary one first."""
    named = {task for model in inputs.evaluated for task in model.tasks}
    return [primary, *sorted(named - {primary})]
