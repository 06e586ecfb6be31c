"""Training: steps over epochs, early stopping, the best weights kept, and going on after a kill."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from pipeline.core.errors import PipelineError
from pipeline.core.randomness import generator
from pipeline.models.alignment.components import with_components
from pipeline.models.examples import Examples
from pipeline.models.network import Network
from pipeline.models.options import ModelOptions
from pipeline.models.statistics import standardise_targets, target_scales
from pipeline.models.targets import Unlearnable, check_learnable, has_target
from pipeline.models.training.determinism import deterministic
from pipeline.models.training.parallel import SINGLE_PROCESS, World
from pipeline.models.training.snapshot import Snapshots
from pipeline.models.training.teacher import Teacher
from pipeline.models.training.train_state import History, TrainState
from pipeline.models.training.trainer import Trainer
from pipeline.models.training.validation import Validation

LOG = logging.getLogger(__name__)
# Between two lines that say how far training is.
LINE_SECONDS = 5.0


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
    world: World = SINGLE_PROCESS,
    epochs: int | None = None,
    start: Network | None = None,
    teacher: Teacher | None = None,
    towers_from: Network | None = None,
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
    start:
        A network that is trained on, in place; None: a new one of these options.
    teacher:
        Whose answers are learned beside the truth. It may read sets that the network does not: the
        network's own come first in the examples.
    towers_from:
        A network whose towers a new one begins with, for the sets that both read.

    Raises
    ------
    Unlearnable
        A split holds nothing to learn from or to stop by.
    PipelineError
        A figure of the first epoch, of the train or the validation split, is no finite number.
    """
    seen = training.take(training.seen)
    judged = validation.take(validation.seen)
    if options.alignment is not None:
        seen = with_components(seen, "train")
        judged = with_components(judged, "validation")
    check_learnable(seen.targets, options.features)
    if not has_target(judged.targets[options.primary]).any():
        raise Unlearnable(
            f"the validation split has no sample with '{options.primary}' and one of the features "
            f"{list(options.features)}: mend the data, or the model's features or primary"
        )
    scales = target_scales(seen)
    priors = {
        task: options.tasks[task].prior(seen.targets[task], len(names))
        for task, names in classes.items()
    }
    seen, judged = (standardise_targets(split, scales) for split in (seen, judged))
    counts = {task: len(names) for task, names in classes.items()}
    with deterministic(seed, "train", device):
        network = _new_network(seen, counts, options) if start is None else start
        if towers_from is not None:
            network.take_towers(towers_from)
        network.to(device)
        for task, names in classes.items():
            network.decodings[task] = replace(network.decodings[task], classes=tuple(names))
        validator = Validation(judged, classes, options, device)
        trainer = Trainer(network, seen, validator, options, device, teacher)
        history, spent = _fit(trainer, seed, device, snapshots, world, epochs)
        validator.calibrate(network, scales)
    return Trained(network, history.best_epoch, history.curves, priors, history.diverged, spent)


def _new_network(examples: Examples, classes: Mapping[str, int], options: ModelOptions) -> Network:
    network = Network(
        [spec for spec in examples.sets if spec.name in options.features], classes, options
    )
    network.fit(examples)
    return network


def _fit(
    trainer: Trainer,
    seed: int,
    device: torch.device,
    snapshots: Snapshots | None,
    world: World,
    epochs: int | None,
) -> tuple[History, dict[str, float]]:
    """Train until enough epochs bring nothing better, and leave the best weights in the network.

    Returns the history, and what was spent here.
    """
    options, history = trainer.options, History()
    rng = generator(seed, "batches")
    progress = _Progress(options, world)
    state = TrainState(trainer.parts, history, rng, device)
    if snapshots is not None:
        state.restore(snapshots.read())
    resumed = len(history.curves)
    world.check_agreed(resumed)
    for epoch in range(resumed, options.epochs if epochs is None else epochs):
        if epoch - 1 - history.best_epoch >= options.patience:
            break
        world.reseed(seed, epoch)
        figures = trainer.run_epoch(rng, world)
        diverged = [name for name, value in figures.items() if not math.isfinite(value)]
        if diverged:
            if not history.curves:
                raise _divergence_error(diverged[0], figures[diverged[0]], options)
            history.diverged = epoch
            break
        history.curves.append(figures)
        score = figures["validation/score"]
        if score > history.best or epochs is not None:
            history.best, history.best_epoch = score, epoch
            history.best_weights = _copy_weights(trainer.validated)
        if snapshots is not None:
            snapshots.write(state.dump)
        progress.tell(history)
    progress.tell(history, ended=True)
    trainer.network.load_state_dict(history.best_weights)
    return history, {**trainer.throughput.figures, "resumed": resumed}


class _Progress:
    """Tells how far training is: at its end, and after an epoch if LINE_SECONDS have passed."""

    def __init__(self, options: ModelOptions, world: World) -> None:
        self._options, self._told = options, time.monotonic()
        self._speaks = world.rank == 0

    def tell(self, history: History, ended: bool = False) -> None:
        """`epoch 12 of 24: train loss 0.412, validation score 0.731, the best in epoch 10`."""
        now = time.monotonic()
        if not (self._speaks and history.curves and (ended or now - self._told >= LINE_SECONDS)):
            return
        self._told, last = now, history.curves[-1]
        losses = (f"{name} {last[f'train/{name}/loss']:.4g}" for name in self._options.objectives)
        LOG.info(
            "epoch %d of %d: train loss %s, validation score %.4g, the best in epoch %d",
            len(history.curves),
            self._options.epochs,
            ", ".join(losses),
            last["validation/score"],
            history.best_epoch + 1,
        )


def _copy_weights(network: Network) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def _divergence_error(figure: str, value: float, options: ModelOptions) -> PipelineError:
    full = "" if options.precision == "float32" else ", or precision: float32"
    return PipelineError(
        f"training diverged in its first epoch, {figure} is {value}: lower the model's "
        f"learning_rate or give it a warmup, or set clip{full}"
    )
