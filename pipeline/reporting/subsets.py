"""What each modality is worth: a figure by the modalities that were there or were left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.models.evaluation.evaluate import BRIEF_OF_TEXTS
from pipeline.reporting.choice import Choice, of_evaluated_models
from pipeline.reporting.format import percent
from pipeline.reporting.inputs import Absent, EvaluatedModel, ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.plots.rows import bar
from pipeline.reporting.reasons import has_classes, no_table

# The figure that is drawn, and the one beside it.
CLASSIFIED = ("accuracy", "macro_f1")
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
    learned = model.task(task)
    drawn, beside = BRIEF_OF_TEXTS if learned.SEQUENCE else CLASSIFIED
    rows: list[dict[str, Any]] = [
        {
            "present": [name for name in modalities if name in row["subset"].split("+")],
            "n": int(float(row["n"])),
            "drawn": float(row[drawn]),
            "beside": float(row[beside]),
            "plot": bar(
                float(row[drawn]), f"{learned.FIGURES[drawn].title} {percent(float(row[drawn]))} %"
            ),
        }
        for row in model.table("subsets")
        if (row["task"], row["split"], row["kind"]) == (task, "test", kind)
        and float(row["n"]) > 0
        and row.get(drawn)
        and row.get(beside)
    ]
    if not rows:
        return None
    rows.sort(key=lambda row: (-len(row["present"]), -row["drawn"], row["present"]))
    return {
        "model": model.name,
        "task": task,
        "kind": kind,
        "title": KINDS[kind],
        "figures": (learned.FIGURES[drawn].title, learned.FIGURES[beside].title),
        "seen": model.modalities or tuple(modalities),
        "rows": rows,
    }
