"""Answers of a trained network: probabilities, or values. Whatever computes them, torch or not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import numpy as np

from pipeline.models.decoding import Decoding
from pipeline.models.examples import Examples

ROWS = 1024


class Answering(Protocol):
    """What answers: a `Network` of torch, or its graph in ONNX Runtime.

    `decodings` say by task how an answer becomes a decision.
    """

    @property
    def tasks(self) -> Sequence[str]: ...
    @property
    def decodings(self) -> Mapping[str, Decoding]: ...

    def answers(self, examples: Examples, visible: np.ndarray) -> dict[str, np.ndarray]:
        """By task, at view 0: float32 (n, classes) or (n, 1); `visible`: bool (n, sets)."""


def predict(
    network: Answering,
    examples: Examples,
    priors: Mapping[str, np.ndarray],
    modalities: Collection[str] | None = None,
) -> dict[str, np.ndarray]:
    """By task, at view 0, seeing only the given modalities: float32 (n, classes) or (n, 1).

    Probabilities of classes or labels, at the fitted temperature, or the value of a number, in the
    target's unit. An example with nothing to see gets the task's prior: (classes,), how common
    each class was in training, or (1,), the mean.
    """
    if not len(examples):
        return {task: np.empty((0, len(priors[task])), np.float32) for task in network.tasks}
    visible = examples.present
    if modalities is not None:
        visible = visible & np.array([spec.modality in modalities for spec in examples.sets])
    probabilities_by_task = network.answers(examples, visible)
    blind = ~np.any(visible, axis=1)
    for task, probabilities in probabilities_by_task.items():
        probabilities[blind] = priors[task]
    return probabilities_by_task
