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
    shown = examples.present
    if modalities is not None:
        shown = shown & np.array([one.modality in modalities for one in examples.sets])
    outputs = logits(network, Tensors(examples, _device(network)), shown)
    found = {task: network.readings[task].probabilities(each) for task, each in outputs.items()}
    blind = ~np.any(shown, axis=1)
    for task, probabilities in found.items():
        probabilities[blind] = priors[task]
    return found


def logits(network: Network, tensors: Tensors, shown: np.ndarray) -> dict[str, torch.Tensor]:
    """Logits (n, outputs) by task, without dropout; `shown`: bool (n, sets)."""
    network.eval()
    batches = []
    with torch.inference_mode():
        for start in range(0, len(shown), ROWS):
            rows = np.arange(start, min(start + ROWS, len(shown)))
            inputs = tensors.gather(rows, shown=shown[rows])
            batches.append(network(inputs.values, inputs.lengths, inputs.present))
    return {task: torch.cat([batch[task] for batch in batches]) for task in network.tasks}


def _device(network: Network) -> torch.device:
    return next(network.parameters()).device
