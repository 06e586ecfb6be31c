"""Integrated gradients: which features of which set an answer rests on.

The gradient of the answer's log-probability at the fitted temperature, integrated along the
straight way from the train split's mean to the features (Sundararajan et al. 2017,
arXiv:1703.01365), by Captum. Attributions add up to the log-probability's gain over that of the
mean. Times of frames stay as they are on that way: they say where features stand, and are none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.core.randomness import generator
from pipeline.models.examples import Examples
from pipeline.models.saving import TrainedModel
from pipeline.models.training.batches import Tensors

if TYPE_CHECKING:
    from torch import Tensor

STEPS = 64
# Steps times samples that are computed at once.
BATCH = 1024
# Features of each modality that are named.
TOP = 10


def attribution_rows(
    model: TrainedModel,
    examples: Examples,
    means: Mapping[str, np.ndarray],
    samples: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Rows of contributions.csv, of the primary task: each modality's share, and top features.

    At most `samples` of the examples that have something present, drawn at random, are asked. None
    are where the primary task has not one logit per class, or a set holds ids of words: no rows.
    A share is of the summed absolute attributions; they add up to 1 over the modalities.
    means: by set, float (bands,), those of the train split.
    """
    rng = generator(seed, "attributed")
    seen = np.flatnonzero(examples.seen)
    ids = any(tower.ids for tower in model.torch_network.by_name.values())
    several = model.options.tasks[model.options.primary].task.SOFTMAX
    if not samples or not len(seen) or ids or not several:
        return []
    sampled = examples.take(np.sort(rng.permutation(seen)[:samples]))
    task = model.options.primary
    attributions_by_set = attributions(model, sampled, means, task)
    # Over samples, and of a sequence over its frames.
    sums = {
        name: abs(each).sum(tuple(range(each.ndim - 1)), dtype=np.float64)
        for name, each in attributions_by_set.items()
    }
    total = sum(float(each.sum()) for each in sums.values()) or 1.0
    return [
        {"task": task, "measure": "gradients", "low": "", "high": "", "n": len(sampled), **row}
        for modality in examples.modalities
        for row in _shares(examples, modality, sums, total)
    ]


def attributions(
    model: TrainedModel, examples: Examples, means: Mapping[str, np.ndarray], task: str
) -> dict[str, np.ndarray]:
    """By set, float32 (n, *shape): each feature's part of the answer's log-probability, in nats.

    Raises
    ------
    PipelineError
        Captum is not installed.
    """
    import torch

    try:
        from captum.attr import IntegratedGradients
    except ImportError:
        raise PipelineError(
            "evaluate.attributed needs captum: pip install 'multimodal-pipeline[explain]'; "
            "or set it to 0"
        ) from None
    network = model.torch_network.eval()
    rows = np.arange(len(examples))
    inputs = Tensors(examples, torch.device("cpu")).gather(rows)
    names = network.names
    temperature = network.decodings[task].temperature

    def log_probability(*arguments: Tensor) -> Tensor:
        *values, present, answer = arguments[: len(names) + 2]
        lengths = dict(zip(names, arguments[len(names) + 2 :], strict=True))
        logits = network(dict(zip(names, values, strict=True)), lengths, present)[task]
        chosen: Tensor = (logits / temperature).log_softmax(1).gather(1, answer[:, None])[:, 0]
        return chosen

    with torch.no_grad():
        answer = network(inputs.values, inputs.lengths, inputs.present)[task].argmax(1)
    attributed_tensors = IntegratedGradients(log_probability, multiply_by_inputs=True).attribute(
        tuple(inputs.values[name] for name in names),
        tuple(
            _baseline(means[name], inputs.values[name], network.by_name[name].times)
            for name in names
        ),
        additional_forward_args=(
            inputs.present,
            answer,
            *(inputs.lengths[name] for name in names),
        ),
        n_steps=STEPS,
        internal_batch_size=max(BATCH, len(rows)),
    )
    return {name: each.numpy() for name, each in zip(names, attributed_tensors, strict=True)}


def _baseline(mean: np.ndarray, values: Tensor, times: bool) -> Tensor:
    """The mean in place of each feature; `times`: the last number is no feature, and is kept."""
    import torch

    baseline = torch.from_numpy(mean.astype(np.float32)).expand_as(values)
    return torch.cat([baseline[..., :-1], values[..., -1:]], -1) if times else baseline


def _shares(
    examples: Examples, modality: str, sums: Mapping[str, np.ndarray], overall: float
) -> Iterator[dict[str, Any]]:
    names = [spec.name for spec in examples.sets if spec.modality == modality]
    total = sum(float(sums[name].sum()) for name in names)
    yield {"level": "overall", "name": "", "modality": modality, "value": total / overall}
    parts = [(float(v), name, i) for name in names for i, v in enumerate(sums[name])]
    for value, name, i in sorted(parts, key=lambda part: (-part[0], part[1:]))[:TOP]:
        yield {
            "level": "feature",
            "name": f"{name}[{i}]",
            "modality": modality,
            "value": value / overall,
        }
