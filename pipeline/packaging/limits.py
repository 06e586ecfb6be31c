"""Where a model is weak, as its evaluation measured it on the test split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.models.tasks import Figure
from pipeline.reporting.breakdown import COMPONENTS
from pipeline.reporting.inputs import EvaluatedModel

# How many of the weakest are listed.
LISTED = 5
# By which tables of groups and subsets tell good from bad: of classes and labels, else of a number.
BY = ("accuracy", "mae")


@dataclass(frozen=True)
class Slice:
    """A figure of some test samples; `components` is None where the table does not count them."""

    name: str
    value: float
    n: int
    components: int | None = None


@dataclass(frozen=True)
class TaskLimits:
    """What limits the use of one task's answers.

    Parameters
    ----------
    by, figure:
        The figure that slices and subsets are told by.
    whole:
        The same of all test samples.
    slices, small:
        The weakest of those of enough components, worst first; how many had too few.
    classes:
        The classes of least F1, worst first.
    masked, natural:
        Of samples that have every modality, with only some shown; of samples that have only some.
    worse:
        (what happens to which modality, at which rate, the figure of the ranking then).
    sure, right:
        Mean confidence and accuracy; None of a number.
    """

    task: str
    by: str
    figure: Figure
    whole: float | None
    slices: list[Slice]
    small: int
    classes: list[Slice]
    masked: list[Slice]
    natural: list[Slice]
    worse: list[tuple[str, str, float, float]]
    sure: float | None
    right: float | None


def limits(model: EvaluatedModel, task: str) -> TaskLimits:
    """What the evaluation's tables say of one task."""
    figures = model.task(task).FIGURES
    by = next((name for name in BY if name in figures), next(iter(figures)))
    sign = figures[by].sign
    groups = [row for row in _rows(model, "groups", task) if row.get(by)]
    enough = [row for row in groups if int(row["components"]) >= COMPONENTS]
    slices = [
        Slice(
            f"{row['attribute']} = {row['value']}",
            float(row[by]),
            int(row["n"]),
            int(row["components"]),
        )
        for row in enough
        if row["attribute"] != task  # by the task itself, accuracy is but the classes' recall
    ]
    slices.sort(key=lambda one: (sign * one.value, one.name))
    classes = [
        Slice(row["class"], float(row["f1"]), int(row["support"]))
        for row in _rows(model, "per_class", task)
        if row["f1"] and int(row["support"])
    ]
    classes.sort(key=lambda one: (one.value, one.name))
    sure, right = _confidence(model, task)
    return TaskLimits(
        task,
        by,
        figures[by],
        model.tasks[task]["test"].get(by, {}).get("value"),
        slices[:LISTED],
        len(groups) - len(enough),
        classes[:LISTED],
        _subsets(model, task, "masked", by, sign),
        _subsets(model, task, "natural", by, sign),
        _worse(model, task),
        sure,
        right,
    )


def _rows(model: EvaluatedModel, table: str, task: str) -> list[dict[str, str]]:
    return [row for row in model.table(table) if row["task"] == task and row["split"] == "test"]


def _subsets(model: EvaluatedModel, task: str, kind: str, by: str, sign: int) -> list[Slice]:
    """Best first."""
    subsets = [
        Slice(row["subset"].replace("+", " + "), float(row[by]), int(row["n"]))
        for row in _rows(model, "subsets", task)
        if row["kind"] == kind and row.get(by) and int(row["n"])
    ]
    return sorted(subsets, key=lambda one: (-sign * one.value, one.name))


def _worse(model: EvaluatedModel, task: str) -> list[tuple[str, str, float, float]]:
    """The last point of each of the curves of robustness, which are of the primary task."""
    last: dict[tuple[str, str], tuple[float, float]] = {}
    for row in model.table("robustness"):
        if row["task"] == task and row["macro_f1"]:
            key, rate = (row["kind"], row["modality"]), float(row["rate"])
            if key not in last or rate > last[key][0]:
                last[key] = (rate, float(row["macro_f1"]))
    return [(*key, *point) for key, point in last.items()]


def _confidence(model: EvaluatedModel, task: str) -> tuple[float | None, float | None]:
    """How sure the answers were on average, and how many were right."""
    bins = [
        {name: float(row[name]) for name in ("n", "confidence", "accuracy")}
        for row in _rows(model, "calibration", task)
        if float(row["n"] or 0)
    ]
    total = sum(each["n"] for each in bins)
    if not total:
        return None, None
    mean: Any = {
        name: sum(each["n"] * each[name] for each in bins) / total
        for name in ("confidence", "accuracy")
    }
    return mean["confidence"], mean["accuracy"]
