"""How every model's score falls as its inputs get worse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from pipeline.reporting.choice import Choice, of_evaluated_models
from pipeline.reporting.format import humanize
from pipeline.reporting.inputs import Absent, EvaluatedModel, ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.plots.panels import Points, lines
from pipeline.reporting.reasons import has_one_class, no_task

KINDS = {
    "absence": ("absent", "share of samples without it"),
    "noise": ("noisy", "noise, in train deviations"),
    "misalignment": ("of another sample", "share of samples swapped"),
}


@of_evaluated_models
def build(inputs: ReportInputs, options: ReportOptions, choice: Choice) -> dict[str, Any] | Absent:
    curves = {model.name: _curves(model) for model in inputs.evaluated}
    if not any(curves.values()):
        return no_task(
            [(choice.shown, choice.task)],
            has_one_class,
            "No evaluation drew robustness curves (evaluate.draws).",
        )
    worsened = [
        (kind, modality)
        for kind in KINDS
        for modality in (*inputs.modalities, "all")
        if any((kind, modality) in model_curves for model_curves in curves.values())
    ]
    return {
        "choice": choice,
        "charts": [
            {
                "title": f"{humanize(modality).capitalize()} {KINDS[kind][0]}",
                "plot": _chart(inputs, choice, curves, kind, modality),
            }
            for kind, modality in worsened
        ],
        "worsened": worsened,
        "rows": [
            (
                model,
                choice.mark(model),
                [_area(curves[model.name].get(condition)) for condition in worsened],
            )
            for model in inputs.evaluated
            if curves[model.name]
        ],
    }


def _curves(model: EvaluatedModel) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """(kind, modality) → (rate, macro-F1) pairs by rate."""
    points_by_condition: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in model.table("robustness"):
        point = (float(row["rate"]), float(row["macro_f1"]))
        points_by_condition.setdefault((row["kind"], row["modality"]), []).append(point)
    return {key: sorted(points) for key, points in points_by_condition.items()}


def _area(points: Points | None) -> float | None:
    """Mean height of a curve, by trapezes; None where there is none."""
    if not points or len(points) < 2:
        return None
    rates, heights = np.transpose(points)
    return float(np.trapezoid(heights, rates) / np.ptp(rates))


def _chart(
    inputs: ReportInputs,
    choice: Choice,
    curves: dict[str, dict[tuple[str, str], list[tuple[float, float]]]],
    kind: str,
    modality: str,
) -> Markup:
    """All models that have the modality; the two chosen ones last, so that they lie on top."""
    models: Sequence[EvaluatedModel] = sorted(
        (model for model in inputs.evaluated if (kind, modality) in curves[model.name]),
        key=lambda model: choice.mark(model) != "",
    )
    series = {
        choice.mark(model) or f"beside of-{number}": curves[model.name][kind, modality]
        for number, model in enumerate(models)
    }
    what, unit = KINDS[kind]
    return lines(series, f"Macro-F1 of {choice.task}, {modality} {what}", unit=unit)
