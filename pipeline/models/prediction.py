"""Answers of a trained network: probabilities, or values."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import torch

from pipeline.models.examples import Examples
from pipeline.models.network import Network
from pipeline.models.training.batches import Tensors

ROWS = 1024


def predict(
    network: Network,
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
    outputs = predict_logits(network, Tensors(examples, _device(network)), visible)
    probabilities_by_task = {
        task: network.decodings[task].probabilities(each) for task, each in outputs.items()
    }
    blind = ~np.any(visible, axis=1)
    for task, probabilities in probabilities_by_task.items():
        probabilities[blind] = priors[task]
    return probabilities_by_task


def predict_logits(
    network: Network, tensors: Tensors, visible: np.ndarray
) -> dict[str, torch.Tensor]:
    """Logits (n, outputs) by task, without dropout; `visible`: bool (n, sets)."""
    network.eval()
    batches = []
    with torch.inference_mode():
        for start in range(0, len(visible), ROWS):
            rows = np.arange(start, min(start + ROWS, len(visible)))
            inputs = tensors.gather(rows, kept=visible[rows])
            batches.append(network(inputs.values, inputs.lengths, inputs.present))
    return {task: torch.cat([batch[task] for batch in batches]) for task in network.tasks}


def _device(network: Network) -> torch.device:
    return next(network.parameters()).device
