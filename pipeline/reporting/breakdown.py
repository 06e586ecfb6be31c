"""Figures by class and by attribute, this model's beside the best single modality's."""

from __future__ import annotations

from typing import Any

from pipeline.reporting.choice import choose
from pipeline.reporting.format import percent
from pipeline.reporting.inputs import Absent, Inputs, Model
from pipeline.reporting.options import Options
from pipeline.reporting.plots.rows import axis, dumbbell
from pipeline.reporting.plots.scale import UNIT


def build(inputs: Inputs, options: Options) -> dict[str, Any] | Absent:
    choice = choose(inputs)
    if choice is None:
        return Absent("No model has been evaluated yet.")
    panels = []
    for model in inputs.evaluated:
        other = choice.single if choice.single and choice.single.name != model.name else None
        for task in model.tasks:
            panels += _classes(model, other, task) + _attributes(model, other, task)
    if not panels:
        return Absent("No evaluation wrote per_class.csv or groups.csv.")
    return {"choice": choice, "panels": panels, "axis": axis(UNIT)}


def _classes(model: Model, other: Model | None, task: str) -> list[dict[str, Any]]:
    """F1 of each class, best first."""
    rows = _select(model, "per_class", task)
    beside = {row["class"]: _figure(row["f1"]) for row in _select(other, "per_class", task)}
    return _panel(
        model,
        other,
        task,
        title=f"F1 of each {task}",
        unit="F1",
        rows=[
            (row["class"], _figure(row["f1"]), beside.get(row["class"]), int(float(row["support"])))
            for row in rows
        ],
    )


def _attributes(model: Model, other: Model | None, task: str) -> list[dict[str, Any]]:
    """Accuracy at each value of each attribute, best first."""
    rows = _select(model, "groups", task)
    beside = {
        (row["attribute"], row["value"]): _figure(row["accuracy"])
        for row in _select(other, "groups", task)
    }
    return [
        panel
        for attribute in sorted({row["attribute"] for row in rows})
        for panel in _panel(
            model,
            other,
            task,
            title=f"Accuracy of {task} by {attribute}",
            unit="accuracy",
            attribute=attribute,
            rows=[
                (
                    row["value"],
                    _figure(row["accuracy"]),
                    beside.get((attribute, row["value"])),
                    int(float(row["n"])),
                )
                for row in rows
                if row["attribute"] == attribute
            ],
        )
    ]


def _panel(
    model: Model,
    other: Model | None,
    task: str,
    title: str,
    unit: str,
    rows: list[tuple[str, float | None, float | None, int]],
    attribute: str | None = None,
) -> list[dict[str, Any]]:
    if not rows:
        return []
    ordered = sorted(rows, key=lambda row: (-(row[1] if row[1] is not None else -1), row[0]))
    return [
        {
            "model": model.name,
            "other": other.name if other else None,
            "task": task,
            "title": title,
            "unit": unit,
            "attribute": attribute or task,
            "rows": [
                {
                    "name": name,
                    "value": value,
                    "other": beside,
                    "n": n,
                    "plot": dumbbell(value, beside, _said(unit, value, beside, other), UNIT),
                }
                for name, value, beside, n in ordered
            ],
        }
    ]


def _said(unit: str, value: float | None, beside: float | None, other: Model | None) -> str:
    own = "not measured" if value is None else f"{unit} {percent(value)} %"
    return own if beside is None or other is None else f"{own}; {other.name}: {percent(beside)} %"


def _select(model: Model | None, name: str, task: str) -> list[dict[str, str]]:
    rows = model.table(name) if model is not None else []
    return [row for row in rows if row["task"] == task and row["split"] == "test"]


def _figure(text: str) -> float | None:
    return float(text) if text not in {"", "nan"} else None
