"""Does a model that is 80 % sure turn out right 80 % of the time?"""

from __future__ import annotations

from typing import Any

from pipeline.reporting.choice import Choice, of_evaluated_models
from pipeline.reporting.format import percent
from pipeline.reporting.inputs import Absent, EvaluatedModel, ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.plots.panels import CalibrationBin, reliability
from pipeline.reporting.reasons import has_classes, no_table


@of_evaluated_models
def build(inputs: ReportInputs, options: ReportOptions, choice: Choice) -> dict[str, Any] | Absent:
    panels = [
        panel
        for model in inputs.evaluated
        for task in model.tasks
        if (panel := _panel(model, task))
    ]
    if not panels:
        return no_table(inputs.evaluated, has_classes, "calibration")
    return {"choice": choice, "panels": panels}


def _panel(model: EvaluatedModel, task: str) -> dict[str, Any] | None:
    bins = [
        CalibrationBin(
            low=float(row["low"]),
            high=float(row["high"]),
            confidence=float(row["confidence"]),
            accuracy=float(row["accuracy"]),
            n=int(float(row["n"])),
        )
        for row in model.table("calibration")
        if row["task"] == task and row["split"] == "test" and float(row["n"] or 0) > 0
    ]
    if not bins:
        return None
    total = sum(bin_.n for bin_ in bins)
    sure = sum(bin_.confidence * bin_.n for bin_ in bins) / total
    right = sum(bin_.accuracy * bin_.n for bin_ in bins) / total
    ece = model.tasks[task]["test"].get("ece")
    return {
        "model": model.name,
        "task": task,
        "ece": ece,
        "sure": sure,
        "right": right,
        "plot": reliability(
            bins,
            f"Accuracy against confidence of {model.name} for {task}: on average "
            f"{percent(sure)} % sure and {percent(right)} % right",
        ),
    }
