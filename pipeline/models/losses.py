"""The loss: for each task a weighted cross entropy, and their weighted sum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipeline.models.examples import Examples
from pipeline.models.options import TaskOptions

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor


def weights(
    targets: np.ndarray, component: np.ndarray, classes: int, options: TaskOptions
) -> np.ndarray:
    """A weight an example, float32 (n,), with mean 1 over those that have a target, 0 elsewhere.

    With `examples: component` the samples of a component share one example's weight; with
    `classes: balanced` each class that occurs then weighs the same.
    """
    import numpy as np

    known = targets >= 0
    weight = known.astype(np.float64)
    if options.examples == "component":
        _, member, size = np.unique(component[known], return_inverse=True, return_counts=True)
        weight[known] = 1 / size[member]
    if options.classes == "balanced":
        mass = np.bincount(targets[known], weight[known], minlength=classes)
        weight[known] /= mass[targets[known]]
    if known.any():
        weight *= known.sum() / weight.sum()
    return weight.astype(np.float32)


def example_weights(
    examples: Examples,
    classes: Mapping[str, int],
    tasks: Mapping[str, TaskOptions],
    device: torch.device,
) -> dict[str, Tensor]:
    """By task, `weights` of the examples, on a device."""
    import torch

    return {
        task: torch.from_numpy(
            weights(examples.targets[task], examples.component, k, tasks[task])
        ).to(device)
        for task, k in classes.items()
    }


def loss(
    logits: Mapping[str, Tensor],
    targets: Mapping[str, Tensor],
    weights: Mapping[str, Tensor],
    tasks: Mapping[str, TaskOptions],
    label_smoothing: float,
) -> dict[str, Tensor]:
    """By task, the mean of weight times cross entropy over the rows that have a target, scaled by
    the task's weight. A batch without any target has loss 0."""
    from torch.nn.functional import cross_entropy

    found = {}
    for task, options in tasks.items():
        each = cross_entropy(
            logits[task],
            targets[task],
            ignore_index=-1,
            reduction="none",
            label_smoothing=label_smoothing,
        )
        known = (targets[task] >= 0).sum().clamp(min=1)
        found[task] = options.weight * (each * weights[task]).sum() / known
    return found
