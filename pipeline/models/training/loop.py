"""Training: steps over epochs, early stopping, the best weights kept, and going on after a kill."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from pipeline.core.errors import PipelineError
from pipeline.core.randomness import generator
from pipeline.models.examples import Examples
from pipeline.models.network import Network
from pipeline.models.options import ModelOptions
from pipeline.models.statistics import standardise_targets, target_scales
from pipeline.models.targets import check_learnable, has_target, prior
from pipeline.models.training.batches import Tensors, microbatches, prefetch
from pipeline.models.training.determinism import deterministic
from pipeline.models.training.losses import Combination, example_weights, loss
from pipeline.models.training.optimization import Optimization, averaged
from pipeline.models.training.parallel import ALONE, World
from pipeline.models.training.snapshot import Snapshots
from pipeline.models.training.throughput import Throughput
from pipeline.models.training.train_state import History, TrainState
from pipeline.models.training.validation import Validation


@dataclass(frozen=True)
class Trained:
    """A network at its best epoch, and how it came there.

    `best_epoch` counts from 0; `curves` holds figure → value for each epoch; `priors` are
    what the train split says by task of an example that nothing is seen of: see `targets.prior`.
    `diverged` is the epoch of which a figure was no number, at which training stopped. `spent`
    says how long steps took here, and from which epoch a killed training went on: no part of what
    was trained.
    """

    network: Network
    best_epoch: int
    curves: list[dict[str, float]]
    priors: dict[str, np.ndarray]
    diverged: int | None = None
    spent: dict[str, float] = field(default_factory=dict, compare=False)


def train(
    training: Examples,
    validation: Examples,
    classes: Mapping[str, Sequence[str]],
    options: ModelOptions,
    seed: int,
    device: torch.device,
    snapshots: Snapshots | None = None,
    world: World = ALONE,
    epochs: int | None = None,
) -> Trained:
    """Train a network on one split and stop by the other.

    Examples with nothing present teach nothing and are passed over. Equal arguments give equal
    weights, to the bit, on one kind of machine, however often it was killed and went on.

    Parameters
    ----------
    snapshots:
        Where the state is kept after an epoch, and found again; None: nowhere.
    world:
        The processes that train together; each calls this with the same arguments.
    epochs:
        Pass over just so many of the schedule's epochs and keep the last, whatever `validation`
        says: it may then be among the training examples. None: stop by it and keep the best.

    Raises
    ------
    PipelineError
        A split holds nothing to learn from or to stop by, or a figure of the first epoch, of the
        train or the validation split, is no finite number.
    """
    seen = training.take(training.seen)
    judged = validation.take(validation.seen)
    check_learnable(seen.targets, options.features)
    if not has_target(judged.targets[options.primary]).any():
        raise PipelineError(
            f"the validation split has no sample with '{options.primary}' and one of the features "
            f"{list(options.features)}: mend the data, or the model's features or primary"
        )
    scales = target_scales(seen)
    priors = {task: prior(seen.targets[task], len(names)) for task, names in classes.items()}
    seen, judged = (standardise_targets(split, scales) for split in (seen, judged))
    counts = {task: len(names) for task, names in classes.items()}
    with deterministic(seed, "train", device):
        network = Network(seen.sets, counts, options)
        network.fit(seen)
        network.to(device)
        judge = Validation(judged, counts, options, device)
        course, spent = _fit(network, seen, judge, options, seed, device, snapshots, world, epochs)
        judge.calibrate(network, scales)
    return Trained(network, course.best_epoch, course.curves, priors, course.diverged, spent)


def _fit(
    network: Network,
    training: Examples,
    judge: Validation,
    options: ModelOptions,
    seed: int,
    device: torch.device,
    snapshots: Snapshots | None,
    world: World,
    epochs: int | None,
) -> tuple[History, dict[str, float]]:
    """Fit the network in place; its course, and what was spent here."""
    rng = generator(seed, "batches")
    source = Tensors(training, device)
    weights = example_weights(training, judge.classes, options.tasks, device)
    combination = Combination(options).to(device)
    steps = options.epochs * -(-len(training) // options.batch_size)
    optimization = Optimization(
        network.parameters(), combination.parameters(), options, steps, device
    )
    average = averaged(network, options.average)
    judged: Network = network if average is None else average.module  # type: ignore[assignment]
    course, clock = History(), Throughput()
    stateful = {"network": network, "combination": combination, **optimization.parts}
    if average is not None:
        stateful["average"] = average
    state = TrainState(stateful, course, rng, device)
    if snapshots is not None:
        state.restore(snapshots.read())
    began = len(course.curves)
    world.check_agreed(began)
    for number in range(began, options.epochs if epochs is None else epochs):
        if number - 1 - course.best_epoch >= options.patience:
            break
        world.reseed(seed, number)
        network.train()
        total = torch.zeros(len(judge.classes), dtype=torch.float64)
        batches = prefetch(microbatches(rng, training, source, weights, options, world))
        for rows, parts in clock.timed(batches):
            for piece in parts:
                inputs = piece.inputs
                with optimization.training_loss():
                    lessons = [
                        loss(
                            lesson,
                            piece.targets,
                            piece.weights,
                            options.tasks,
                            options.label_smoothing,
                        )
                        for lesson in network.training_outputs(
                            inputs.values, inputs.lengths, inputs.present
                        )
                    ]
                losses = {
                    task: torch.stack([lesson[task] for lesson in lessons]).mean()
                    for task in judge.classes
                }
                optimization.backward(combination(losses, piece.portion))
                stacked = torch.stack(list(losses.values())) * piece.portion
                total += stacked.detach().cpu().double() * rows
            optimization.step(world)
            if average is not None:
                average.update_parameters(network)
            clock.examples += rows
        world.sum(total)
        means = dict(zip(judge.classes, (total / len(training)).tolist(), strict=True))
        figures = {f"train/{task}/loss": mean for task, mean in means.items()}
        figures |= combination.factors()
        if total.isfinite().all():
            figures |= judge(judged)
        wrong = [name for name, value in figures.items() if not math.isfinite(value)]
        if wrong:
            if not course.curves:
                raise _divergence(wrong[0], figures[wrong[0]], options)
            course.diverged = number
            break
        course.curves.append(figures)
        score = figures["validation/score"]
        if score > course.best or epochs is not None:
            course.best, course.best_epoch, course.best_weights = score, number, _copy(judged)
        if snapshots is not None:
            snapshots.write(state.dump)
    network.load_state_dict(course.best_weights)
    return course, {**clock.figures, "resumed": began}


def _copy(network: Network) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def _divergence(figure: str, value: float, options: ModelOptions) -> PipelineError:
    full = "" if options.precision == "float32" else ", or precision: float32"
    return PipelineError(
        f"training diverged in its first epoch, {figure} is {value}: lower the model's "
        f"learning_rate or give it a warmup, or set clip{full}"
    )
