"""Which fusion and which single modality validation chose: the test split has no say in it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.models.tasks import ranked_by
from pipeline.reporting.inputs import Absent, EvaluatedModel, ReportInputs
from pipeline.reporting.options import ReportOptions

SectionData = dict[str, Any] | Absent


@dataclass(frozen=True)
class Choice:
    """The best on validation, by the figure of the primary task; None where there is none.

    `shown` is the one that the sections look at first: the fusion, or the single modality where
    there is no fusion.
    """

    task: str
    fusion: EvaluatedModel | None
    single: EvaluatedModel | None
    shown: EvaluatedModel

    def mark(self, model: EvaluatedModel) -> str:
        """ "fusion" or "single" if validation chose this model, else nothing."""
        if self.fusion is not None and model.name == self.fusion.name:
            return "fusion"
        return "single" if self.single is not None and model.name == self.single.name else ""


def select_by_validation(inputs: ReportInputs) -> Choice | None:
    """The choice, or None if nothing was evaluated. Ties go to the earlier name."""
    models = inputs.evaluated
    if not models:
        return None
    task = models[0].primary_task or next(iter(models[0].tasks))
    fusion = _best([model for model in models if len(model.modalities) > 1], task)
    single = best_single(models, task)
    shown = fusion or single
    return None if shown is None else Choice(task, fusion, single, shown)


def of_evaluated_models(
    build: Callable[[ReportInputs, ReportOptions, Choice], SectionData],
) -> Callable[[ReportInputs, ReportOptions], SectionData]:
    """A section that is given what validation chose, and left out where nothing was evaluated."""

    @functools.wraps(build)
    def section(inputs: ReportInputs, options: ReportOptions) -> SectionData:
        choice = select_by_validation(inputs)
        if choice is None:
            return Absent("No model has been evaluated yet.")
        return build(inputs, options, choice)

    return section


def best_single(models: Sequence[EvaluatedModel], task: str) -> EvaluatedModel | None:
    """The best of the models of one modality on validation."""
    return _best([model for model in models if len(model.modalities) <= 1], task)


def score(model: EvaluatedModel, task: str, split: str) -> float | None:
    """The figure by which models are ranked in that task, or None where it was not measured."""
    figure = model.tasks.get(task, {}).get(split, {}).get(ranked_by(model.task(task)))
    return None if figure is None else float(figure["value"])


def rank_models(models: Sequence[EvaluatedModel], task: str, split: str) -> list[EvaluatedModel]:
    """The best first, models without the figure last, ties by name."""

    def place(model: EvaluatedModel) -> tuple[bool, float, str]:
        figure = score(model, task, split)
        learned = model.task(task)
        sign = learned.FIGURES[ranked_by(learned)].sign
        return figure is None, -sign * (figure or 0.0), model.name

    return sorted(models, key=place)


def _best(models: Sequence[EvaluatedModel], task: str) -> EvaluatedModel | None:
    scored = [model for model in models if score(model, task, "validation") is not None]
    return rank_models(scored, task, "validation")[0] if scored else None
