"""One epoch of training: what a network's weights, losses and steps make of every example."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.models.alignment.options import ALIGNMENT
from pipeline.models.examples import Examples
from pipeline.models.network import Network
from pipeline.models.options import ModelOptions
from pipeline.models.training.batches import MicroBatch, Tensors, microbatches, prefetch
from pipeline.models.training.losses import Combination, example_weights, loss
from pipeline.models.training.optimization import Optimization, averaged_model
from pipeline.models.training.parallel import World
from pipeline.models.training.teacher import Teacher
from pipeline.models.training.throughput import Throughput
from pipeline.models.training.validation import Validation


class Trainer:
    """A network and all that changes with it from step to step; the network is trained in place."""

    def __init__(
        self,
        network: Network,
        training: Examples,
        validation: Validation,
        options: ModelOptions,
        device: torch.device,
        teacher: Teacher | None = None,
    ) -> None:
        self._teacher = teacher
        self.network, self.validation, self.options = network, validation, options
        self.throughput = Throughput()
        self._device = device
        self._examples = training
        self._source = Tensors(training, device)
        self._weights = example_weights(training, validation.classes, options.tasks, device)
        self._combination = Combination(options).to(device)
        steps = options.epochs * -(-len(training) // options.batch_size)
        self._optimization = Optimization(
            network.parameters(), self._combination.parameters(), options, steps, device
        )
        self._average = averaged_model(network, options.average)

    @property
    def validated(self) -> Network:
        """The network that is validated and kept: that of the mean weights, if there is one."""
        if self._average is None:
            return self.network
        mean: Network = self._average.module  # type: ignore[assignment]
        return mean

    @property
    def parts(self) -> dict[str, Any]:
        """What has a state, by name."""
        parts = {
            "network": self.network,
            "combination": self._combination,
            **self._optimization.parts,
        }
        if self._average is not None:
            parts["average"] = self._average
        return parts

    def run_epoch(self, rng: np.random.Generator, world: World) -> dict[str, float]:
        """Pass over all examples once, then validate: the figures of the epoch.

        `train/TASK/loss` is a task's mean; where one is no finite number nothing is validated.
        """
        losses = self._pass(rng, world)
        means = dict(zip(self.options.objectives, losses.tolist(), strict=True))
        figures = {f"train/{task}/loss": mean for task, mean in means.items()}
        figures |= self._combination.factors()
        if losses.isfinite().all():
            figures |= self.validation(self.validated)
        return figures

    def _pass(self, rng: np.random.Generator, world: World) -> Tensor:
        """A step by each batch; the mean loss of each objective, float64 (objectives,)."""
        self.network.train()
        total = torch.zeros(len(self.options.objectives), dtype=torch.float64, device=self._device)
        batches = microbatches(
            rng, self._examples, self._source, self._weights, self.options, world
        )
        for rows, parts in self.throughput.timed(prefetch(batches, self._device)):
            for microbatch in parts:
                total += self._accumulate(microbatch) * rows
            if self._optimization.step(world) and self._average is not None:
                self._average.update_parameters(self.network)
            self.throughput.examples += rows
        with self.throughput.computing():
            total = total.cpu()
        world.sum(total)
        return total / len(self._examples)

    def _accumulate(self, microbatch: MicroBatch) -> Tensor:
        """Add the gradient of a part of a batch; its share of the batch's loss by objective."""
        inputs = microbatch.inputs
        with self._optimization.autocast():
            tokens, counted = self.network.tokens(inputs.values, inputs.lengths, inputs.present)
            texts = self.network.texts(inputs.values, inputs.lengths, inputs.present)
            answered = self.network.task_outputs(tokens, counted, microbatch.targets, texts)
            outputs = [
                loss(
                    logits,
                    microbatch.targets,
                    microbatch.weights,
                    self.options.tasks,
                    self.options.label_smoothing,
                )
                for logits in answered
            ]
            if self._teacher is not None:
                taught = self._teacher.logits(inputs)
                outputs = [
                    self._teacher.losses(logits, taught, truth, microbatch, self.options.tasks)
                    for logits, truth in zip(answered, outputs, strict=True)
                ]
            aligned = (
                self.network.alignment_loss(tokens, inputs, microbatch.targets[ALIGNMENT])
                if self.options.alignment
                else None
            )
        losses = {
            task: torch.stack([output[task] for output in outputs]).mean()
            for task in self.validation.classes
        }
        if aligned is not None:
            losses[ALIGNMENT] = aligned
        self._optimization.backward(self._combination(losses, microbatch.portion))
        shares = torch.stack(list(losses.values())) * microbatch.portion
        return shares.detach().double()
