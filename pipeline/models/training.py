"""Training: AdamW with a decaying step, early stopping, the best weights kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from pipeline.errors import PipelineError
from pipeline.models.batches import Tensors, epoch
from pipeline.models.determinism import deterministic
from pipeline.models.examples import Examples
from pipeline.models.losses import loss, weights
from pipeline.models.metrics import from_tally, tally
from pipeline.models.network import Network
from pipeline.models.options import ModelOptions
from pipeline.models.prediction import logits
from pipeline.models.statistics import statistics
from pipeline.randomness import generator

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Trained:
    """A network at its best epoch, and how it came there.

    `curves` holds, for each epoch, figure → value; `best_epoch` counts from 0; `priors` are the
    class frequencies of the train split by task, float32 (classes,).
    """

    network: Network
    best_epoch: int
    curves: list[dict[str, float]]
    priors: dict[str, np.ndarray]


def train(
    training: Examples,
    validation: Examples,
    classes: Mapping[str, Sequence[str]],
    options: ModelOptions,
    seed: int,
    device: torch.device,
) -> Trained:
    """Train a network on one split and stop by the other.

    Examples with nothing present teach nothing and are passed over. Equal arguments give equal
    weights, to the bit, on one kind of machine.

    Raises
    ------
    PipelineError
        A split holds nothing that could be learnt from, or the loss is no longer a number.
    """
    seen = training.take(training.present.any(1))
    _check(seen, validation, options)
    counts = {task: len(names) for task, names in classes.items()}
    with deterministic(seed, "train", device):
        network = Network(seen.sets, counts, options)
        for one, tower in zip(seen.sets, network.towers, strict=True):
            mean, deviation = statistics(seen, one.name)
            tower.standardise(torch.from_numpy(mean), torch.from_numpy(deviation))
        network.to(device)
        best_epoch, curves = _fit(network, seen, validation, counts, options, seed, device)
    return Trained(network, best_epoch, curves, {t: prior(seen.targets[t], k) for t, k in counts.items()})


def prior(targets: np.ndarray, classes: int) -> np.ndarray:
    """How common each class is among the targets: float32 (classes,), even if there are none."""
    import numpy as np

    count = np.bincount(targets[targets >= 0], minlength=classes).astype(np.float64)
    count = count if count.any() else np.ones(classes)
    return (count / count.sum()).astype(np.float32)


def _fit(
    network: Network,
    training: Examples,
    validation: Examples,
    classes: Mapping[str, int],
    options: ModelOptions,
    seed: int,
    device: torch.device,
) -> tuple[int, list[dict[str, float]]]:
    rng = generator(seed, "batches")
    source, judge = Tensors(training, device), Judge(validation, classes, options, device)
    example_weights = {
        task: torch.from_numpy(
            weights(training.targets[task], training.component, k, options.tasks[task])
        ).to(device)
        for task, k in classes.items()
    }
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    steps = options.epochs * -(-len(training) // options.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    curves: list[dict[str, float]] = []
    best, best_epoch, kept = float("-inf"), 0, _copy(network)
    for number in range(options.epochs):
        network.train()
        total = 0.0
        for rows, views, shown in epoch(
            rng, training, options.batch_size, options.modality_dropout
        ):
            inputs = source.gather(rows, views, shown)
            place = torch.from_numpy(rows).to(device)
            losses = loss(
                network(inputs.values, inputs.lengths, inputs.present),
                {task: source.targets[task][place] for task in classes},
                {task: weight[place] for task, weight in example_weights.items()},
                options.tasks,
                options.label_smoothing,
            )
            combined = torch.stack(list(losses.values())).sum()
            optimizer.zero_grad()
            combined.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += combined.item() * len(rows)
        figures = judge(network)
        curves.append({"train/loss": total / len(training), **figures})
        if total != total:
            raise PipelineError("training diverged: lower the model's learning_rate")
        score = figures[f"validation/{options.primary}_macro_f1"]
        score = -figures["validation/loss"] if options.monitor == "loss" else score
        if score > best:
            best, best_epoch, kept = score, number, _copy(network)
        elif number - best_epoch >= options.patience:
            break
    network.load_state_dict(kept)
    return best_epoch, curves
