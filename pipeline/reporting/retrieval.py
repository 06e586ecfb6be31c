"""What the spaces are good for that models have learned for their modalities, without labels."""

from __future__ import annotations

from typing import Any

from pipeline.models.alignment.options import ALIGNMENT
from pipeline.models.alignment.retrieval import CUTS, MEAN_RECALL
from pipeline.reporting.inputs import Absent, EvaluatedModel, ReportInputs
from pipeline.reporting.options import ReportOptions

SPLIT = "test"


def build(inputs: ReportInputs, options: ReportOptions) -> dict[str, Any] | Absent:
    """By model the figures of the test split, each with its interval."""
    models = [shown for model in inputs.aligned if (shown := _model(model))]
    if not models:
        return Absent("No model has an alignment whose test split holds pairs.")
    return {"models": models, "cuts": CUTS, "confidence": inputs.confidence}


def _model(model: EvaluatedModel) -> dict[str, Any] | None:
    figures = {name: splits[SPLIT] for name, splits in model.aligned.items() if SPLIT in splits}
    if ALIGNMENT not in figures:
        return None
    about = model.card["options"]["alignment"]
    return {
        "name": model.name,
        "loss": about["loss"],
        "reconstruction": about["reconstruction"],
        "mean_recall": figures.pop(ALIGNMENT)[MEAN_RECALL],
        "directions": _having(figures, "median_rank"),
        "named": _having(figures, "accuracy"),
        "shares": _having(figures, "gain"),
    }


def _having(figures: dict[str, Any], figure: str) -> dict[str, Any]:
    """Those that are told by this figure, in their order."""
    return {name: each for name, each in figures.items() if figure in each}
