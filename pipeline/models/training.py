"""Training: AdamW with a decaying step, early stopping, the best weights kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pipeline.errors import PipelineError
from pipeline.models.batches import Tensors, epoch
from pipeline.models.determinism import deterministic
from pipeline.models.examples import Examples
from pipeline.models.losses import example_weights, loss
from pipeline.models.network import Network
from pipeline.models.options import ModelOptions
from pipeline.models.statistics import statistics
from pipeline.models.validation import Validation
from pipeline.randomness import generator


@dataclass(frozen=True)
class Trained:
    """A network at its best epoch, and how it came there.

    `best_epoch` counts from 0; `curves` holds figure → value for each epoch; `priors` are the
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
        A split holds nothing to learn from or to stop by, or the loss is no longer a number.
    """
    seen = training.take(training.seen)
    judged = validation.take(validation.seen)
    for split, some in (("train", seen), ("validation", judged)):
        if not (some.targets[options.primary] >= 0).any():
            raise PipelineError(
                f"the {split} split has no sample with '{options.primary}' and one of the features "
                f"{list(options.features)}: mend the data, or the model's features or primary"
            )
    counts = {task: len(names) for task, names in classes.items()}
    with deterministic(seed, "train", device):
        network = Network(seen.sets, counts, options)
        for name in network.names:
            mean, deviation = statistics(seen, name)
            network.standardise(name, torch.from_numpy(mean), torch.from_numpy(deviation))
        network.to(device)
        judge = Validation(judged, counts, options, device)
        best_epoch, curves = _fit(network, seen, judge, options, seed, device)
    priors = {task: prior(seen.targets[task], k) for task, k in counts.items()}
    return Trained(network, best_epoch, curves, priors)


def prior(targets: np.ndarray, classes: int) -> np.ndarray:
    """How common each class is: float32 (classes,); all the same if there are no targets."""
    count = np.bincount(targets[targets >= 0], minlength=classes).astype(np.float64)
    count = count if count.any() else np.ones(classes)
    return np.asarray(count / count.sum(), dtype=np.float32)


def _fit(
    network: Network,
    training: Examples,
    judge: Validation,
    options: ModelOptions,
    seed: int,
    device: torch.device,
) -> tuple[int, list[dict[str, float]]]:
    """Fit the network in place; the best epoch, and the curves."""
    rng = generator(seed, "batches")
    source = Tensors(training, device)
    weights = example_weights(training, judge.classes, options.tasks, device)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    steps = options.epochs * -(-len(training) // options.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    curves: list[dict[str, float]] = []
    best, best_epoch, kept = float("-inf"), 0, _copy(network)
    for number in range(options.epochs):
        network.train()
        total = torch.zeros(len(judge.classes), dtype=torch.float64)
        for rows, views, shown in epoch(
            rng, training, options.batch_size, options.modality_dropout
        ):
            inputs = source.gather(rows, views, shown)
            place = torch.from_numpy(rows).to(device)
            lessons = [
                loss(
                    lesson,
                    {task: targets[place] for task, targets in source.targets.items()},
                    {task: weight[place] for task, weight in weights.items()},
                    options.tasks,
                    options.label_smoothing,
                )
                for lesson in network.lessons(inputs.values, inputs.lengths, inputs.present)
            ]
            stacked = torch.stack([torch.stack(list(one.values())) for one in lessons]).mean(0)
            optimizer.zero_grad()
            stacked.sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += stacked.detach().cpu().double() * len(rows)
        if not total.isfinite().all():
            raise PipelineError("training diverged: lower the model's learning_rate")
        means = dict(zip(judge.classes, (total / len(training)).tolist(), strict=True))
        curves.append(
            {**{f"train/{task}/loss": mean for task, mean in means.items()}, **judge(network)}
        )
        score = curves[-1]["validation/score"]
        if score > best:
            best, best_epoch, kept = score, number, _copy(network)
        elif number - best_epoch >= options.patience:
            break
    network.load_state_dict(kept)
    return best_epoch, curves


def _copy(network: Network) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
