"""Why a section has nothing to show, where that is not a fault: the kinds of the tasks decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pipeline.models.tasks import Task
from pipeline.reporting.inputs import Absent, EvaluatedModel


def has_classes(task: Task) -> bool:
    """Whether answers are classes or labels, each with a probability."""
    return not task.NUMBER and not task.SEQUENCE


def has_one_class(task: Task) -> bool:
    """Whether each sample has one class."""
    return task.ONE_CLASS


# As the reader is told what a section shows.
WORDS: dict[Callable[[Task], bool], str] = {
    has_classes: "classes or labels",
    has_one_class: "one class per sample",
}


def no_task(
    tasks: Iterable[tuple[EvaluatedModel, str]], shown: Callable[[Task], bool], otherwise: str
) -> Absent:
    """That no task of these (model, task) is one of those `shown`, or `otherwise` if one is.

    Parameters
    ----------
    shown:
        `has_classes` or `has_one_class`.
    """
    kinds = {}
    for model, name in tasks:
        if shown(model.task(name)):
            return Absent(otherwise)
        kinds[name] = model.card.get("tasks", {}).get(name, {}).get("kind")
    listed = ", ".join(f"{name} ({kind})" for name, kind in sorted(kinds.items()))
    return Absent(f"It shows tasks of {WORDS[shown]}, and there is none among {listed}.")


def no_table(
    models: Iterable[EvaluatedModel], shown: Callable[[Task], bool], *tables: str
) -> Absent:
    """Why no row of these tables of the evaluations can be shown."""
    models = list(models)
    written = any(
        (model.evaluated / f"{table}.csv").is_file() for model in models for table in tables
    )
    return no_task(
        ((model, task) for model in models for task in model.tasks),
        shown,
        "No model could answer a test sample that has the target."
        if written
        else f"No evaluation wrote {' or '.join(f'{table}.csv' for table in tables)}.",
    )
