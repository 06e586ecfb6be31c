"""Confusion matrices: how often each class was taken for each other, model by model."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pipeline.reporting.choice import Choice, of_evaluated_models
from pipeline.reporting.inputs import Absent, EvaluatedModel, ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.reasons import has_one_class, no_table

LEVELS = 10
REST = "(other classes)"


@of_evaluated_models
def build(inputs: ReportInputs, options: ReportOptions, choice: Choice) -> dict[str, Any] | Absent:
    matrices = [
        matrix
        for model in inputs.evaluated
        for task in model.tasks
        if (matrix := _matrix(model, task, options.classes))
    ]
    if not matrices:
        return no_table(inputs.evaluated, has_one_class, "confusion")
    return {"choice": choice, "matrices": matrices}


def _matrix(model: EvaluatedModel, task: str, most: int) -> dict[str, Any] | None:
    """Rows of cells: truth down, prediction across, shaded by the share of the truth's samples."""
    pairs = Counter(
        (row["truth"], row["prediction"])
        for row in model.table("confusion")
        if row["task"] == task and row["truth"]
    )
    if not pairs:
        return None
    support = Counter[str]()
    for (truth, prediction), n in pairs.items():
        support[truth] += n
        support[prediction] += 0
    classes = sorted(support)
    if len(classes) > most:
        kept = sorted(classes, key=lambda name: (-support[name], name))[: most - 1]
        folded = Counter[tuple[str, str]]()
        for (truth, prediction), n in pairs.items():
            folded[
                truth if truth in kept else REST, prediction if prediction in kept else REST
            ] += n
        pairs, classes = folded, [*sorted(kept), REST]
    totals = {name: sum(pairs[name, other] for other in classes) for name in classes}
    return {
        "model": model.name,
        "task": task,
        "classes": classes,
        "rows": [
            {
                "truth": truth,
                "total": totals[truth],
                "cells": [
                    {
                        "n": pairs[truth, predicted],
                        "level": _level(pairs[truth, predicted], totals[truth]),
                    }
                    for predicted in classes
                ],
            }
            for truth in classes
        ],
        "mixed": [
            {"truth": truth, "said": predicted, "n": n, "total": totals[truth]}
            for (truth, predicted), n in sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
            if truth != predicted
        ][:5],
    }


def _level(n: int, total: int) -> int:
    """0 for none, else 1 to LEVELS by share: each has a CSS class."""
    return 0 if n == 0 else max(1, round(LEVELS * n / total))
