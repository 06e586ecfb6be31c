"""What each modality gives to the answers: to the score, and to each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from pipeline.reporting.choice import Choice, of_evaluated_models
from pipeline.reporting.format import percent, points
from pipeline.reporting.inputs import Absent, EvaluatedModel, ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.plots.rows import axis, whisker
from pipeline.reporting.plots.scale import Scale, nice_scale
from pipeline.reporting.reasons import has_one_class, no_table

MEASURES = {
    "shapley": "Shapley",
    "permutation": "swapped",
    "weight": "weight, %",
    "gradients": "gradients, %",
}
SHARES = ("weight", "gradients")


@of_evaluated_models
def build(inputs: ReportInputs, options: ReportOptions, choice: Choice) -> dict[str, Any] | Absent:
    fusions = [model for model in inputs.evaluated if len(model.modalities) > 1]
    if not fusions:
        return Absent("No model sees several modalities.")
    panels = [
        panel
        for model in fusions
        for task in model.tasks
        if (panel := _panel(model, task, inputs.modalities, options.classes))
    ]
    if not panels:
        return no_table(fusions, has_one_class, "contributions")
    return {"choice": choice, "panels": panels, "modalities": inputs.modalities}


def _panel(
    model: EvaluatedModel, task: str, order: Sequence[str], most: int
) -> dict[str, Any] | None:
    rows = [row for row in model.table("contributions") if row["task"] == task]
    overall = [row for row in rows if row["level"] == "overall"]
    if not overall:
        return None
    shapley = {row["modality"]: row for row in overall if row["measure"] == "shapley"}
    names = [name for name in order if name in shapley]
    cells = [shapley[name][column] for name in names for column in ("value", "low", "high")]
    ends = [float(cell) for cell in cells if cell]
    scale = nice_scale([0.0, *ends])
    return {
        "model": model.name,
        "task": task,
        "names": names,
        "axis": axis(scale),
        "rows": [
            {
                "modality": name,
                "plot": _interval(shapley[name], scale),
                "figures": {
                    row["measure"]: _figure(row) for row in overall if row["modality"] == name
                },
            }
            for name in names
        ],
        "measures": {
            key: title
            for key, title in MEASURES.items()
            if any(row["measure"] == key for row in overall)
        },
        **_classes(rows, names, most),
    }


def _figure(row: dict[str, str]) -> str:
    """A share in per cent, a gain or a loss of score in points."""
    value = float(row["value"])
    return percent(value) if row["measure"] in SHARES else points(value)


def _interval(row: dict[str, str], scale: Scale) -> Markup:
    low, high = (float(row[key]) if row[key] else None for key in ("low", "high"))
    return whisker(float(row["value"]), low, high, scale)


def _classes(rows: Sequence[dict[str, str]], names: Sequence[str], most: int) -> dict[str, Any]:
    """By class, commonest first, each modality's value in nats, and which is the greatest."""
    values_by_class: dict[str, dict[str, float]] = {}
    sizes: dict[str, int] = {}
    for row in rows:
        if row["level"] == "class":
            values_by_class.setdefault(row["name"], {})[row["modality"]] = float(row["value"])
            sizes[row["name"]] = int(row["n"])
    ordered = sorted(values_by_class, key=lambda name: (-sizes[name], name))
    classes = []
    for name in ordered[:most]:
        values = values_by_class[name]
        greatest = max(values.values())
        marked = [(values[modality], values[modality] == greatest) for modality in names]
        classes.append({"name": name, "n": sizes[name], "values": marked})
    return {"classes": classes, "more": len(ordered[most:])}
