"""Model cards: what each model is made of and what it was told."""

from __future__ import annotations

from typing import Any

from pipeline.core.nested import flatten
from pipeline.models.tasks import ranked_by
from pipeline.reporting.choice import Choice, of_evaluated_models, rank_models, score
from pipeline.reporting.inputs import Absent, ReportInputs
from pipeline.reporting.options import ReportOptions


@of_evaluated_models
def build(inputs: ReportInputs, options: ReportOptions, choice: Choice) -> dict[str, Any] | Absent:
    return {
        "choice": choice,
        "cards": [
            {
                "model": model,
                "mark": choice.mark(model),
                "features": [
                    (name, feature["modality"], " by ".join(map(str, feature["shape"])))
                    for name, feature in model.card.get("features", {}).items()
                ],
                "tasks": [(task, len(names)) for task, names in model.classes.items()],
                "options": [
                    (name, _text(value)) for name, value in flatten(model.card.get("options", {}))
                ],
                "parameters": model.card.get("parameters"),
                "epochs": model.card.get("epochs"),
                "best_epoch": model.card.get("best_epoch"),
                "test": score(model, choice.task, "test"),
                "validation": score(model, choice.task, "validation"),
                "figure": model.task(choice.task).FIGURES[ranked_by(model.task(choice.task))],
                "inputs": sorted(model.card.get("inputs", {}).items()),
            }
            for model in rank_models(inputs.evaluated, choice.task, "test")
        ],
    }


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
