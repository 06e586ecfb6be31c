"""Which fusion and which single modality validation chose: the test split has no say in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.reporting.inputs import Inputs, Model


@dataclass(frozen=True)
class Choice:
    """The best by validation macro-F1, or R², of the primary task; None where there is none.

    `shown` is the one that the sections look at first: the fusion, or the single modality where
    there is no fusion.
    """

    task: str
    fusion: Model | None
    single: Model | None
    shown: Model

    def mark(self, model: Model) -> str:
        """ "fusion" or "single" if validation chose this model, else nothing."""
        if self.fusion is not None and model.name == self.fusion.name:
            return "fusion"
        return "single" if self.single is not None and model.name == self.single.name else ""


def choose(inputs: Inputs) -> Choice | None:
    """The choice, or None if nothing was evaluated. Ties go to the earlier name."""
    models = inputs.evaluated
    if not models:
        return None
    task = models[0].primary_task or next(iter(models[0].tasks))
    fusion = _best([model for model in models if len(model.modalities) > 1], task)
    single = best_single(models, task)
    shown = fusion or single
    return None if shown is None else Choice(task, fusion, single, shown)


def best_single(models: Sequence[Model], task: str) -> Model | None:
    """The best of the models of one modality by validation macro-F1, or R² of a number."""
    return _best([model for model in models if len(model.modalities) <= 1], task)


def score(
    model: Model, task: str, split: str, metrics: Sequence[str] = ("macro_f1", "r2")
) -> float | None:
    """The first of these figures that a model has, or None where none was measured."""
    figures = model.tasks.get(task, {}).get(split, {})
    return next((float(figures[name]["value"]) for name in metrics if name in figures), None)


def ranked(models: Sequence[Model], task: str, split: str) -> list[Model]:
    """Best macro-F1, or R² of a number, first; models without one last; ties by name."""
    return sorted(models, key=lambda m: (-_or_last(score(m, task, split)), m.name))


def _or_last(figure: float | None) -> float:
    return float("-inf") if figure is None else figure


def _best(models: Sequence[Model], task: str) -> Model | None:
    scored = [model for model in models if score(model, task, "validation") is not None]
    return ranked(scored, task, "validation")[0] if scored else None
