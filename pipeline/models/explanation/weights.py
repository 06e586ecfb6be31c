"""How much each modality counts by the fusion's own account: its gates or its attention."""

from __future__ import annotations

import numpy as np
import torch

from pipeline.models.examples import Examples
from pipeline.models.prediction import ROWS
from pipeline.models.saving import TrainedModel
from pipeline.models.training.batches import Tensors


def modality_weights(model: TrainedModel, examples: Examples) -> dict[str, np.ndarray]:
    """By task, float32 (n, modalities), a row's weights adding up to 1, or to 0 with no set.

    Nothing where the fusion has no such weights. A weight says how much of a token goes on, not how
    much the answer depends on it (Jain & Wallace 2019, arXiv:1902.10186).
    """
    network = model.torch_network.eval()
    tensors = Tensors(examples, torch.device("cpu"))
    shares_by_task: dict[str, list[np.ndarray]] = {}
    with torch.inference_mode():
        for start in range(0, len(examples), ROWS):
            rows = np.arange(start, min(start + ROWS, len(examples)))
            inputs = tensors.gather(rows)
            shares = network.set_weights(inputs.values, inputs.lengths, inputs.present)
            for task, each in shares.items():
                shares_by_task.setdefault(task, []).append(each.numpy())
    owner = np.array([spec.modality for spec in examples.sets])
    return {
        task: np.stack([np.concatenate(each)[:, owner == m].sum(1) for m in examples.modalities], 1)
        for task, each in shares_by_task.items()
    }
