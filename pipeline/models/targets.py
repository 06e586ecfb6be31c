"""Targets as arrays, whose type and shape say what they are.

| a target is | array |
| --- | --- |
| one class | int64 (n,): an index into the task's classes, -1 where it is missing |
| any number of labels | float32 (n, labels) of 0 and 1, all NaN where it is missing |
| a number | float32 (n,), NaN where it is missing |
| a sequence of classes | int64 (n, longest): indices, then -1; -1 alone where it is missing |
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from pipeline.core.errors import PipelineError

# Between the labels of a target, in tables that go in and in predictions that come out.
SEPARATOR = "|"


def is_known(value: object) -> bool:
    """Whether a cell of a table of samples holds anything; NaN is nothing."""
    return value is not None and value == value  # a missing number is not equal to itself


def has_target(targets: np.ndarray) -> np.ndarray:
    """bool (n,): which examples have a target."""
    if targets.dtype.kind == "i":
        return np.asarray((targets if targets.ndim == 1 else targets[:, 0]) >= 0)
    return np.asarray(~np.isnan(targets.reshape(len(targets), -1)).any(1))


def occurring_classes(values: Iterable[object]) -> set[str]:
    """The classes that occur, as text."""
    return {str(value) for value in values if is_known(value)}


def order_classes(occurring_classes: set[str], order: Sequence[str]) -> list[str]:
    """Classes by `order`; if that is empty, numbers by value, and anything else as text.

    Raises
    ------
    PipelineError
        A class occurs that `order` lacks.
    """
    if order:
        if unnamed := sorted(occurring_classes.difference(order)):
            raise PipelineError(f"`order` lacks what occurs: {', '.join(unnamed)}")
        return list(order)
    try:
        return sorted(occurring_classes, key=lambda name: (float(name), name))
    except ValueError:
        return sorted(occurring_classes)


def class_indices(values: Iterable[object], classes: Sequence[str]) -> np.ndarray:
    """int64 (n,): the place of each value among the classes, -1 where it is missing."""
    position = {name: i for i, name in enumerate(classes)}
    return np.array([position[str(v)] if is_known(v) else -1 for v in values], dtype=np.int64)


def split_labels(value: object) -> list[str]:
    """The labels in a cell: `red|round`, or a list as JSON, which sources make of list columns.

    `|` alone and `[]` say that there is none, where an empty cell says that nobody knows.
    """
    text = str(value)
    if text.startswith("["):
        try:
            return [str(label) for label in json.loads(text)]
        except ValueError:
            pass
    return [label for part in text.split(SEPARATOR) if (label := part.strip())]


def prior(targets: np.ndarray, classes: int) -> np.ndarray:
    """What to answer where nothing is seen: float32, the share of each class or label, or the mean.

    (classes,), or (1,) of a number. All classes the same if there are no targets.
    """
    labelled = targets[has_target(targets)]
    if targets.dtype.kind == "i":
        count = np.bincount(labelled, minlength=classes).astype(np.float64)
        count = count if count.any() else np.ones(classes)
        return np.asarray(count / count.sum(), dtype=np.float32)
    if not len(labelled):
        return np.zeros(classes if targets.ndim == 2 else 1, np.float32)
    return np.atleast_1d(labelled.mean(0, dtype=np.float64)).astype(np.float32)


class Unlearnable(PipelineError):
    """The splits hold nothing that this model could learn, or stop by; others may."""


def check_learnable(targets: Mapping[str, np.ndarray], features: Sequence[str]) -> None:
    """Raise Unlearnable if a task has nothing to learn from among the training examples."""
    for task, array in targets.items():
        labelled = array[has_target(array)]
        if not len(labelled):
            raise Unlearnable(
                f"the train split has no sample with '{task}' and one of the features "
                f"{list(features)}: mend the data, or the model's features or tasks"
            )
        if not np.any(labelled != labelled[0]):
            raise Unlearnable(
                f"all samples of the train split that the model sees have the same '{task}': "
                "there is nothing to tell apart; mend the data, or drop the task"
            )
