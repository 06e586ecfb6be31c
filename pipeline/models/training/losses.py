"""The loss: for each task a weighted mean over its examples, and their sum."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.models.alignment.options import ALIGNMENT
from pipeline.models.examples import Examples
from pipeline.models.options import ModelOptions
from pipeline.models.targets import has_target
from pipeline.models.task_options import TaskOptions


def balanced_weights(
    targets: np.ndarray, component: np.ndarray, classes: int, options: TaskOptions
) -> np.ndarray:
    """One weight per example, float32 (n,), with mean 1 over those that have a target, 0 elsewhere.

    With `examples: component` the samples of a component share one example's weight; with
    `classes: balanced` each class that occurs then weighs the same. Of labels (n, labels), each
    column for itself, having the label and not having it being the classes. A number has no
    classes, and a sequence no one class.
    """
    if targets.ndim == 2 and targets.dtype.kind == "f":
        bits = np.where(np.isnan(targets), -1, targets).astype(np.int64)
        columns = [balanced_weights(column, component, 2, options) for column in bits.T]
        return np.stack(columns, 1)
    labelled = has_target(targets)
    weight = labelled.astype(np.float64)
    if options.examples == "component":
        _, member, size = np.unique(component[labelled], return_inverse=True, return_counts=True)
        weight[labelled] = 1 / size[member]
    if options.classes == "balanced" and targets.dtype.kind == "i" and targets.ndim == 1:
        mass = np.bincount(targets[labelled], weight[labelled], minlength=classes)
        weight[labelled] /= mass[targets[labelled]]
    if labelled.any():
        weight *= labelled.sum() / weight.sum()
    return weight.astype(np.float32)


def example_weights(
    examples: Examples,
    classes: Mapping[str, int],
    tasks: Mapping[str, TaskOptions],
    device: torch.device,
) -> dict[str, Tensor]:
    """By task, `balanced_weights` of the examples, on a device; of an alignment 1 each."""
    weights = {
        task: balanced_weights(examples.targets[task], examples.component, k, tasks[task])
        for task, k in classes.items()
    }
    if ALIGNMENT in examples.targets:
        weights[ALIGNMENT] = np.ones(len(examples), np.float32)
    return {objective: torch.from_numpy(array).to(device) for objective, array in weights.items()}


def loss(
    logits: Mapping[str, Tensor],
    targets: Mapping[str, Tensor],
    weights: Mapping[str, Tensor],
    tasks: Mapping[str, TaskOptions],
    label_smoothing: float,
) -> dict[str, Tensor]:
    """By task, the mean of weight times loss over the rows that have a target, scaled by the
    task's weight. A batch without any target has loss 0."""
    losses = {}
    for task, options in tasks.items():
        truth = targets[task]
        example_losses = options.task.loss(logits[task], truth, label_smoothing, options.focal)
        losses[task] = options.weight * mean_loss(example_losses, truth, weights[task])
    return losses


def mean_loss(example_losses: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """The mean of weight times loss, of the shape of the weights, over the rows with a target."""
    # Weights are 0 where the target is missing, of which the loss may then say anything.
    has_truth = truth.isfinite() if truth.is_floating_point() else truth >= 0
    if has_truth.ndim > weights.ndim:  # a sequence, which is known if it begins
        has_truth = has_truth[:, 0]
    return (example_losses * weights).sum() / has_truth.sum().clamp(min=1)


class Combination(nn.Module):
    """The tasks' losses as one.

    Their sum; with `weighting: uncertainty` Σ exp(-s)·L + s/2, where s, the log-variance of a
    task's noise, is learned with the network, so that a task that cannot be learned better counts
    less (Kendall et al. 2018, arXiv:1705.07115). L of a number is half the squared error there as
    here. A task without targets in the batch, whose loss is 0, leaves its s alone.
    """

    def __init__(self, options: ModelOptions) -> None:
        super().__init__()
        self.tasks = options.objectives
        learned = options.weighting == "uncertainty"
        self.log_variance = nn.Parameter(torch.zeros(len(self.tasks))) if learned else None

    def forward(self, losses: Mapping[str, Tensor], portion: Tensor | float = 1.0) -> Tensor:
        """One number; `portion`, (tasks,): how much of the batch the losses stand for."""
        stacked = torch.stack([losses[task] for task in self.tasks])
        if self.log_variance is None:
            return (stacked * portion).sum()
        s = self.log_variance
        return (((-s).exp() * stacked + s / 2 * (stacked.detach() > 0)) * portion).sum()

    def factors(self) -> dict[str, float]:
        """`train/TASK/weight`: what each loss is multiplied by; nothing where that is fixed."""
        if self.log_variance is None:
            return {}
        values = (-self.log_variance.detach()).exp().tolist()
        return {f"train/{t}/weight": v for t, v in zip(self.tasks, values, strict=True)}
