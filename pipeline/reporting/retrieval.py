"""What the spaces are good for that models have learned for their modalities, without labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.models.alignment.options import ALIGNMENT
from pipeline.models.alignment.retrieval import CUTS, MEAN_RECALL
from pipeline.reporting.inputs import Absent, EvaluatedModel, ReportInputs
from pipeline.reporting.options import ReportOptions

SPLIT = "test"


@dataclass(frozen=True)
class Space:
    """Figures of the test split by name: of what finds what, of classes told by their names, and
    of classifiers that a share of the labels taught."""

    model: EvaluatedModel
    mean_recall: dict[str, Any]
    directions: dict[str, Any]
    named: dict[str, Any]
    shares: dict[str, Any]

    @property
    def options(self) -> dict[str, Any]:
        """Those of the alignment."""
        options: dict[str, Any] = self.model.card["options"]["alignment"]
        return options


def build(inputs: ReportInputs, options: ReportOptions) -> dict[str, Any] | Absent:
    """Every space, with figures and their intervals."""
    measured = [*spaces(inputs)]
    if not measured:
        return Absent("No model has an alignment whose test split holds pairs.")
    return {"spaces": measured, "cuts": CUTS, "confidence": inputs.confidence}


def spaces(inputs: ReportInputs) -> Iterator[Space]:
    """Those of the models whose test split holds pairs."""
    for model in inputs.aligned:
        figures = {name: each[SPLIT] for name, each in model.aligned.items() if SPLIT in each}
        if ALIGNMENT in figures:
            mean = figures.pop(ALIGNMENT)[MEAN_RECALL]
            directions, named, shares = (
                {name: each for name, each in figures.items() if told_by in each}
                for told_by in ("median_rank", "accuracy", "gain")
            )
            yield Space(model, mean, directions, named, shares)
