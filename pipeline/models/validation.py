"""How a network does on the validation split while it is trained."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from pipeline.models.batches import Tensors
from pipeline.models.examples import Examples
from pipeline.models.losses import example_weights, loss
from pipeline.models.metrics import from_tally, tally
from pipeline.models.network import Network
from pipeline.models.options import ModelOptions
from pipeline.models.prediction import logits


class Validation:
    """Figures of a network on examples that it can see."""

    def __init__(
        self,
        examples: Examples,
        classes: Mapping[str, int],
        options: ModelOptions,
        device: torch.device,
    ) -> None:
        self.examples = examples
        self.classes = classes
        self.options = options
        self.tensors = Tensors(examples, device)
        self.weights = example_weights(examples, classes, options.tasks, device)

    def __call__(self, network: Network) -> dict[str, float]:
        """By task: `validation/TASK/loss`, weighted as in training, and accuracy and macro-F1.

        And `validation/score`, which early stopping wants high: the mean macro-F1 of the tasks by
        their weights, or minus the sum of their losses. All tasks have a say, because the figure of
        one on a small split jumps, and a lucky early epoch would leave the others half learnt.
        """
        outputs = logits(network, self.tensors, self.examples.present)
        losses = loss(
            outputs,
            self.tensors.targets,
            self.weights,
            self.options.tasks,
            self.options.label_smoothing,
        )
        figures = {}
        for task, k in self.classes.items():
            truth = self.examples.targets[task]
            known = truth >= 0
            prediction = outputs[task].argmax(1).cpu().numpy()
            scores = from_tally(tally(truth[known], prediction[known], k))
            figures[f"validation/{task}/loss"] = losses[task].item()
            for name in ("accuracy", "macro_f1"):
                figures[f"validation/{task}/{name}"] = float(scores[name])
        return {**figures, "validation/score": self._score(figures)}

    def _score(self, figures: Mapping[str, float]) -> float:
        tasks = self.options.tasks
        if self.options.monitor == "loss":
            return -sum(figures[f"validation/{task}/loss"] for task in tasks)
        total = sum(options.weight for options in tasks.values())
        return (
            sum(o.weight * figures[f"validation/{task}/macro_f1"] for task, o in tasks.items())
            / total
        )
