"""What each modality is worth: accuracy by the modalities that were there or were left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.reporting.choice import Choice, of_evaluated_models
from pipeline.reporting.format import percent
from pipeline.reporting.inputs import Absent, EvaluatedModel, ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.plots.rows import bar
from pipeline.reporting.reasons import has_classes, no_table

KINDS = {
    "masked": "Test samples that have all modalities, with only these left",
    "natural": "Only the test samples that have just these modalities",
}


@of_evaluated_models
def build(inputs: ReportInputs, options: ReportOptions, choice: Choice) -> dict[str, Any] | Absent:
    if len(inputs.modalities) < 2:
        return Absent("There is one modality, and nothing is left without it.")
    panels = [
        panel
        for model in inputs.evaluated
        for task in model.tasks
        for kind in KINDS
        if (panel := _panel(model, task, kind, inputs.modalities))
    ]
    if not panels:
        return no_table(inputs.evaluated, has_classes, "subsets")
    return {"choice": choice, "panels": panels, "modalities": inputs.modalities}


def _panel(
    model: EvaluatedModel, task: str, kind: str, modalities: Sequence[str]
) -> dict[str, Any] | None:
    """Fullest subset first, then best first."""
    rows: list[dict[str, Any]] = [
        {
            "present": [name for name in modalities if name in row["subset"].split("+")],
            "n": int(float(row["n"])),
            "accuracy": float(row["accuracy"]),
            "macro_f1": float(row["macro_f1"]),
            "plot": bar(float(row["accuracy"]), f"accuracy {percent(float(row['accuracy']))} %"),
        }
        for row in model.table("subsets")
        if (row["task"], row["split"], row["kind"]) == (task, "test", kind)
        and float(row["n"]) > 0
        and row["accuracy"]
        and row["macro_f1"]
    ]
    if not rows:
        return None
    rows.sort(key=lambda row: (-len(row["present"]), -row["accuracy"], row["present"]))
    return {
        "model": model.name,
        "task": task,
        "kind": kind,
        "title": KINDS[kind],
        "seen": model.modalities or tuple(modalities),
        "rows": rows,
    }
