"""Figures by class and by attribute, this model's beside the best single modality's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.models.evaluation.evaluate import BRIEF_OF_TEXTS
from pipeline.reporting.choice import Choice, best_single, of_evaluated_models
from pipeline.reporting.format import percent
from pipeline.reporting.inputs import Absent, EvaluatedModel, ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.plots.rows import axis, dumbbell
from pipeline.reporting.plots.scale import UNIT
from pipeline.reporting.reasons import has_classes, no_table

# A slice of fewer components is weak or strong by luck.
COMPONENTS = 10


@dataclass(frozen=True)
class FigureRow:
    """A figure of n test samples; `other` is the other model's, None where it has none."""

    name: str
    value: float
    other: float | None
    n: int


@of_evaluated_models
def build(inputs: ReportInputs, options: ReportOptions, choice: Choice) -> dict[str, Any] | Absent:
    panels = []
    for model in inputs.evaluated:
        for task in model.tasks:
            best = best_single(inputs.evaluated, task)
            other = best if best is not None and best.name != model.name else None
            rows = _rows(model, other, task, "per_class", "class", "f1", "support")
            rows.sort(key=lambda row: (-row.value, row.name))
            about = {
                "model": model.name,
                "other": other.name if other else None,
                "task": task,
                "attribute": task,
                "unit": "F1",
            }
            panels.append({**about, "title": f"F1 of each {task}", "rows": rows})
            figure, unit, measured = "accuracy", "accuracy", "Accuracy"
            if (learned := model.task(task)).SEQUENCE:
                figure = BRIEF_OF_TEXTS[0]
                unit = measured = learned.FIGURES[figure].title
            for attribute in _attributes(model, task):
                rows = _rows(model, other, task, "groups", "value", figure, "n", attribute)
                rows.sort(key=lambda row: (-row.n, row.name))
                title = f"{measured} of {task} by {attribute}"
                about = {**about, "attribute": attribute, "unit": unit}
                panels.append({**about, "title": title, "rows": rows})
    drawn = [_draw(panel, options.classes) for panel in panels if panel["rows"]]
    if not drawn:
        return no_table(inputs.evaluated, has_classes, "per_class", "groups")
    weakest = [
        {"model": model.name, "task": task, **slice_}
        for model in inputs.evaluated
        for task in model.tasks
        if (slice_ := _weakest(model, task))
    ]
    return {"choice": choice, "panels": drawn, "axis": axis(UNIT), "weakest": weakest}


def _weakest(model: EvaluatedModel, task: str) -> dict[str, Any] | None:
    """The slice of the test with the lowest accuracy, of those that are not all luck.

    None of a number, which has no accuracy.
    """
    rows = [
        row
        for row in _select(model, "groups", task)
        if int(row.get("components") or 0) >= COMPONENTS and row["accuracy"]
    ]
    if not rows:
        return None
    row = min(rows, key=lambda row: (float(row["accuracy"]), row["attribute"], row["value"]))
    return {
        "attribute": row["attribute"],
        "value": row["value"],
        "accuracy": float(row["accuracy"]),
        "n": int(row["n"]),
        "components": int(row["components"]),
    }


def _rows(
    model: EvaluatedModel,
    other: EvaluatedModel | None,
    task: str,
    table: str,
    name: str,
    figure: str,
    count: str,
    attribute: str | None = None,
) -> list[FigureRow]:
    """The rows of one table with test samples and that figure, by the names of its columns."""
    other_values = {
        row[name]: float(row[figure])
        for row in _select(other, table, task)
        if row.get("attribute") == attribute and row.get(figure)
    }
    return [
        FigureRow(row[name], float(row[figure]), other_values.get(row[name]), int(row[count]))
        for row in _select(model, table, task)
        if row.get("attribute") == attribute and int(row[count]) > 0 and row.get(figure)
    ]


def _attributes(model: EvaluatedModel, task: str) -> list[str]:
    """What the test split was cut by; by the task itself, accuracy is but the classes' recall."""
    return sorted({row["attribute"] for row in _select(model, "groups", task)} - {task})


def _draw(panel: dict[str, Any], most: int) -> dict[str, Any]:
    rows: Sequence[FigureRow] = panel["rows"]
    return {
        **panel,
        "rows": [
            (row, dumbbell(row.value, row.other, _label(row, panel["unit"], panel["other"]), UNIT))
            for row in rows[:most]
        ],
        "more": len(rows[most:]),
    }


def _label(row: FigureRow, unit: str, other: str | None) -> str:
    sentence = f"{unit} {percent(row.value)} %"
    if row.other is None or other is None:
        return sentence
    return f"{sentence}; {other}: {percent(row.other)} %"


def _select(model: EvaluatedModel | None, table: str, task: str) -> list[dict[str, str]]:
    rows = model.table(table) if model is not None else []
    return [row for row in rows if row["task"] == task and row["split"] == "test"]
