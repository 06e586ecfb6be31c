"""The options of a task: as what a target is learned, and that kind's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationError

from pipeline.core.options import Options
from pipeline.models import targets
from pipeline.models.tasks import Kind, Task, kinds, task_of


class TaskOptions(Options):
    """How one target is learned, how much it counts, and how its examples are weighed."""

    kind: Kind = Field(
        default="multiclass",
        description="what it is learned as; left out, what `targets` says that it is",
    )
    order: tuple[str, ...] = Field(
        default=(),
        description="its classes from low to high, of two the positive one last; left out, "
        "numbers by value and anything else as text",
    )
    focal: float = Field(
        default=0.0, ge=0, le=10, description="power by which easy examples count less; 0 is none"
    )
    weight: float = Field(default=1.0, gt=0, le=1000, description="factor of this task's loss")
    classes: Literal["balanced", "as_is"] = Field(
        default="balanced", description="whether each class, or each example, counts the same"
    )
    examples: Literal["component", "sample"] = Field(
        default="sample",
        description="what counts as one example: a component, whose samples then share its "
        "weight, suits a target that is the same for all of them; a sample, any other",
    )

    @property
    def task(self) -> Task:
        """What its kind does."""
        return task_of(self.kind)

    def cells(self, targets: Mapping[str, np.ndarray], task: str) -> np.ndarray:
        """The cells of the task, of those of all targets."""
        return targets[task]

    def prior(self, truth: np.ndarray, classes: int) -> np.ndarray:
        """What to answer where nothing is seen: see `targets.prior`."""
        return targets.prior(truth, classes)


def task_options(options: Any) -> Any:
    """The options of a kind that has some of its own; ValueError saying what is wrong with them.

    Others are left to be checked as `TaskOptions`.
    """
    if not isinstance(options, Mapping) or options.get("kind") not in kinds_with_options():
        return options
    try:
        return task_of(options["kind"]).Options.model_validate(options)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ValueError("; ".join(wrong)) from None


def kinds_with_options() -> list[str]:
    """The kinds of target that have options of their own."""
    return [kind for kind in kinds() if task_of(kind).Options is not TaskOptions]


TaskOfKind = Annotated[SerializeAsAny[TaskOptions], BeforeValidator(task_options)]
