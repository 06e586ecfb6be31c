"""What models learn from: the joined samples as plain arrays, targets as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.models.targets import is_known
from pipeline.models.task_options import TaskOptions


class JoinedSamples(Protocol):
    """Samples with their features at one view, as the store joins them."""

    @property
    def sample_ids(self) -> Sequence[str]: ...
    @property
    def split(self) -> np.ndarray: ...
    @property
    def component(self) -> np.ndarray: ...
    @property
    def targets(self) -> Mapping[str, np.ndarray]: ...
    @property
    def values(self) -> Mapping[str, np.ndarray]: ...
    @property
    def lengths(self) -> Mapping[str, np.ndarray]: ...
    @property
    def present(self) -> Mapping[str, np.ndarray]: ...


@dataclass(frozen=True)
class FeatureSpec:
    """One input of a model: (D,) for one vector per row, (frames, bands) for a sequence."""

    name: str
    modality: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Examples:
    """n examples.

    Attributes
    ----------
    sets:
        The s feature sets, in the model's order.
    values:
        By set, float32 (views, n, *shape); view 0 is the asset itself.
    lengths:
        By set, int32 (views, n): frames that hold something.
    present:
        bool (n, s). Values of absent sets mean nothing.
    targets:
        By task, classes, labels or numbers; see `targets`.
    component, sample_ids:
        str (n,).
    """

    sets: tuple[FeatureSpec, ...]
    values: Mapping[str, np.ndarray]
    lengths: Mapping[str, np.ndarray]
    present: np.ndarray
    targets: Mapping[str, np.ndarray]
    component: np.ndarray
    sample_ids: np.ndarray

    def __len__(self) -> int:
        return len(self.present)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities of the sets, sorted."""
        return tuple(sorted({spec.modality for spec in self.sets}))

    @property
    def seen(self) -> np.ndarray:
        """bool (n,): which examples have anything present."""
        return np.asarray(self.present.any(1))

    @property
    def has(self) -> np.ndarray:
        """bool (n, modalities): which modalities an example has, in the order of `modalities`."""
        owner = np.array([spec.modality for spec in self.sets])
        return np.stack([self.present[:, owner == m].any(1) for m in self.modalities], 1)

    def of_sets(self, sets: Sequence[FeatureSpec]) -> Examples:
        """The same examples with these sets alone, in this order."""
        places = [self.sets.index(spec) for spec in sets]
        return replace(
            self,
            sets=tuple(sets),
            values={spec.name: self.values[spec.name] for spec in sets},
            lengths={spec.name: self.lengths[spec.name] for spec in sets},
            present=self.present[:, places],
        )

    def take(self, rows: np.ndarray, views: int | None = None) -> Examples:
        """Some rows (a mask or positions), and the first `views` of their views."""
        return replace(
            self,
            values={name: array[:views, rows] for name, array in self.values.items()},
            lengths={name: array[:views, rows] for name, array in self.lengths.items()},
            present=self.present[rows],
            targets={task: indices[rows] for task, indices in self.targets.items()},
            component=self.component[rows],
            sample_ids=self.sample_ids[rows],
        )


def classes_of(joined: JoinedSamples, tasks: Mapping[str, TaskOptions]) -> dict[str, list[str]]:
    """By task, its classes in order: all that occur, in whatever split; none of a number.

    A class that the train split lacks is thereby a class that the model gets wrong, rather than
    one that is left out of its figures. The vocabulary of a text is that of the train split alone.

    Raises
    ------
    PipelineError
        No sample has the target, or its classes are none for its kind.
    """
    classes_by_task = {}
    for task, options in tasks.items():
        if not any(is_known(value) for value in joined.targets[task]):
            raise PipelineError(
                f"no sample has the target '{task}': name another one in tasks, or mend the data"
            )
        rows = joined.split == "train" if options.task.SEQUENCE else slice(None)
        try:
            cells = options.cells(joined.targets, task)
            classes_by_task[task] = options.task.classes(cells[rows], options)
        except PipelineError as error:
            raise PipelineError(f"tasks.{task}: {error}") from None
    return classes_by_task


def build_examples(
    views: Sequence[JoinedSamples],
    sets: Mapping[str, str],
    classes: Mapping[str, Sequence[str]],
    tasks: Mapping[str, TaskOptions],
) -> Examples:
    """Arrays of the samples, `views[v]` being the same samples at view v.

    `sets` maps feature set to modality. Where an asset lacks an augmented view (because it could
    not be made) view 0 stands in.

    Raises
    ------
    PipelineError
        What is present holds numbers that are none (NaN, infinity).
    """
    original = views[0]
    values, lengths = {}, {}
    for name in sets:
        values[name] = np.stack([view.values[name] for view in views], dtype=np.float32)
        lengths[name] = np.stack([view.lengths[name] for view in views])
        for v, view in enumerate(views[1:], start=1):
            lacking = ~view.present[name]
            values[name][v, lacking] = original.values[name][lacking]
            lengths[name][v, lacking] = original.lengths[name][lacking]
        _check_finite(name, values[name], original.present[name])
    return Examples(
        sets=tuple(
            FeatureSpec(name, modality, tuple(values[name].shape[2:]))
            for name, modality in sets.items()
        ),
        values=values,
        lengths=lengths,
        present=np.stack([original.present[name] for name in sets], axis=1),
        targets={
            task: tasks[task].task.encode(tasks[task].cells(original.targets, task), named)
            for task, named in classes.items()
        },
        component=np.asarray(original.component),
        sample_ids=np.asarray(original.sample_ids),
    )


def _check_finite(name: str, values: np.ndarray, present: np.ndarray) -> None:
    """Extraction refuses such rows, so that one here is a store that was changed since."""
    finite = np.isfinite(values).reshape(*values.shape[:2], -1).all(2)
    broken = int((~finite.all(0) & present).sum())
    if broken:
        raise PipelineError(
            f"feature set '{name}': {broken} of {int(present.sum())} samples have numbers that are "
            f"not finite (NaN, infinity): remove data/features/{name} and extract it again"
        )
