"""The opening: what data, what the chosen fusion scored, and whether it beats one modality."""

from __future__ import annotations

from typing import Any

from pipeline.reporting.choice import Choice, of_evaluated_models
from pipeline.reporting.difference import model_difference
from pipeline.reporting.inputs import Absent, ReportInputs
from pipeline.reporting.options import ReportOptions


@of_evaluated_models
def build(inputs: ReportInputs, options: ReportOptions, choice: Choice) -> dict[str, Any] | Absent:
    gain = None
    if choice.fusion and choice.single:
        components = {row["sample_id"]: row["component"] for row in inputs.curated}
        gain = model_difference(
            choice.fusion, choice.single, choice.task, components, options.draws, inputs.confidence
        )
    return {
        "choice": choice,
        "gain": gain,
        "figures": {
            model.name: test
            for model in (choice.fusion, choice.single)
            if model is not None and "macro_f1" in (test := model.tasks[choice.task]["test"])
        },
        "confidence": inputs.confidence,
        "samples": len(inputs.curated),
        "groups": len({row["group"] for row in inputs.curated}),
        "classes": len(choice.shown.classes.get(choice.task, [])),
        "sources": sorted({row["source"] for row in inputs.curated}),
        "seen": choice.shown.modalities or tuple(inputs.modalities),
        "others": [
            (task, splits["test"])
            for task, splits in choice.shown.tasks.items()
            if task != choice.task and "macro_f1" in splits["test"]
        ],
    }
