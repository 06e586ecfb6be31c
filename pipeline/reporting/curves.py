"""Learning curves: every metric over the epochs, train beside validation."""

from __future__ import annotations

from typing import Any

from pipeline.reporting.choice import Choice, of_evaluated_models
from pipeline.reporting.format import humanize
from pipeline.reporting.inputs import Absent, EvaluatedModel, ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.plots.panels import Points, lines

SPLITS = ("train", "validation")


@of_evaluated_models
def build(inputs: ReportInputs, options: ReportOptions, choice: Choice) -> dict[str, Any] | Absent:
    panels = [panel for model in inputs.evaluated for panel in _panels(model)]
    if not panels:
        return Absent("No model left learning curves.")
    return {"choice": choice, "panels": panels}


def _panels(model: EvaluatedModel) -> list[dict[str, Any]]:
    best = model.card.get("best_epoch")
    charts: dict[str, dict[str, Points]] = {}
    for name, points in model.curves.items():
        words = name.split("/")
        split = next((word for word in words if word in SPLITS), "validation")
        metric = " ".join(word for word in words if word not in SPLITS)
        charts.setdefault(metric, {})[split] = points
    return [
        {
            "model": model.name,
            "metric": humanize(metric),
            "splits": sorted(series),
            "best": best,
            "plot": lines(series, f"{humanize(metric)} of {model.name} over the epochs", best),
        }
        for metric, series in sorted(charts.items())
    ]
