"""The models, ranked on the test split by the figure of each task, with all that it measures."""

from __future__ import annotations

from functools import partial
from typing import Any

from pipeline.core.records import MIN_COMPONENTS
from pipeline.models.evaluation.nearest import LEAD
from pipeline.models.evaluation.nearest import NAME as NEAREST
from pipeline.models.tasks import ranked_by
from pipeline.reporting.choice import Choice, of_evaluated_models, rank_models
from pipeline.reporting.format import amount
from pipeline.reporting.inputs import Absent, EvaluatedModel, ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.plots.rows import axis, whisker
from pipeline.reporting.plots.scale import nice_scale


@of_evaluated_models
def build(inputs: ReportInputs, options: ReportOptions, choice: Choice) -> dict[str, Any] | Absent:
    boards = (_board(inputs, task, choice) for task in _tasks(inputs, choice.task))
    return {
        "choice": choice,
        "boards": [board for board in boards if board],
        "confidence": inputs.confidence,
    }


def _board(inputs: ReportInputs, task: str, choice: Choice) -> dict[str, Any] | None:
    """The models that learned a task, the best first, and the titles of their figures in order.

    Where they learned it as different kinds, the best one's says by what they are ranked.
    """
    models = [model for model in rank_models(inputs.evaluated, task, "test") if task in model.tasks]
    learned = models[0].task(task)
    first = ranked_by(learned)
    unmeasured = [
        (model, reason_unmeasured(model, task))
        for model in models
        if first not in model.tasks[task].get("test", {})
    ]
    models = [model for model in models if first in model.tasks[task].get("test", {})]
    if not models:
        return (
            {
                "task": task,
                "unmeasured": unmeasured,
                "figures": {first: learned.FIGURES[first]},
                "first": first,
                "rows": [],
            }
            if unmeasured
            else None
        )
    tests = [model.tasks[task]["test"] for model in models]
    figures = {
        name: figure_spec
        for model in models
        for name, figure_spec in model.task(task).FIGURES.items()
    }
    is_share = learned.FIGURES[first].share
    scale = nice_scale(
        (
            end
            for test in tests
            for end in (test[first][name] for name in ("value", "low", "high"))
            if end is not None
        ),
        within=(0.0, 1.0) if is_share else None,
    )
    return {
        "task": task,
        "first": first,
        "n": tests[0].get("n"),
        "components": tests[0].get("components"),
        "axis": axis(scale, partial(amount, share=is_share)),
        "has_intervals": tests[0][first]["low"] is not None,
        "fewest": MIN_COMPONENTS,
        "unmeasured": unmeasured,
        "trivial": (tests[0].get(learned.TRIVIAL) or {}).get(first),
        "nearest": [
            (model.name, test[NEAREST][first], test[LEAD])
            for model, test in zip(models, tests, strict=True)
            if first in test.get(NEAREST, {})
        ],
        "figures": {
            name: figure for name, figure in figures.items() if any(name in test for test in tests)
        },
        "rows": [
            {
                "model": model,
                "mark": choice.mark(model),
                "test": test,
                "validation": model.tasks[task].get("validation", {}),
                "plot": whisker(
                    test[first]["value"],
                    test[first]["low"],
                    test[first]["high"],
                    scale,
                    choice.mark(model),
                    is_share,
                ),
            }
            for model, test in zip(models, tests, strict=True)
        ],
    }


def reason_unmeasured(model: EvaluatedModel, task: str) -> str:
    """Why a model has no figure of a task on the test split."""
    if reason := model.card.get("untrained"):
        return f"it is not trained: {reason}"
    counts = model.tasks[task].get("test", {})
    if not counts.get("n"):
        return f"no test sample has a {task}"
    return "no test sample with the target has any of the modalities that it reads"


def _tasks(inputs: ReportInputs, primary: str) -> list[str]:
    """Every task that some model was evaluated on, the primary one first."""
    named = {task for model in inputs.evaluated for task in model.tasks}
    return [primary, *sorted(named - {primary})]
