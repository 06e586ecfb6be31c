"""The opening: what data, what the chosen fusion scored, and whether it beats one modality."""

from __future__ import annotations

from typing import Any

from pipeline.models.tasks import ranked_by
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
    learned = choice.shown.task(choice.task)
    first = ranked_by(learned)
    return {
        "choice": choice,
        "gain": gain,
        "title": learned.FIGURES[first].title,
        "share": learned.FIGURES[first].share,
        "tested": choice.shown.tasks[choice.task].get("test", {}),
        "figures": {
            model.name: figure
            for model in (choice.fusion, choice.single)
            if model is not None and (figure := model.tasks[choice.task].get("test", {}).get(first))
        },
        "confidence": inputs.confidence,
        "samples": len(inputs.curated),
        "groups": len({row["group"] for row in inputs.curated}),
        "classes": 0 if learned.SEQUENCE else len(choice.shown.classes.get(choice.task, [])),
        "is_text": learned.SEQUENCE,
        "sources": sorted({row["source"] for row in inputs.curated}),
        "seen": choice.shown.modalities or tuple(inputs.modalities),
        "others": [
            (task, other.FIGURES[ranked_by(other)], figure)
            for task, splits in choice.shown.tasks.items()
            for other in [choice.shown.task(task)]
            if task != choice.task and (figure := splits.get("test", {}).get(ranked_by(other)))
        ],
    }
