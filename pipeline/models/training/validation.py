"""How a network does on the validation split while it is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from pipeline.models.alignment.options import ALIGNMENT
from pipeline.models.alignment.retrieval import MEAN_RECALL, Retrieval
from pipeline.models.decoding import Decoding, fit_decoding
from pipeline.models.examples import Examples
from pipeline.models.metrics import class_scores
from pipeline.models.network import Network
from pipeline.models.options import ModelOptions
from pipeline.models.targets import has_target
from pipeline.models.tasks import ranked_by
from pipeline.models.training.batches import Tensors
from pipeline.models.training.losses import balanced_weights, example_weights, loss


class Validation:
    """Figures of a network on examples that it can see."""

    def __init__(
        self,
        examples: Examples,
        classes: Mapping[str, Sequence[str]],
        options: ModelOptions,
        device: torch.device,
    ) -> None:
        self.examples = examples
        self.names = classes
        self.classes = {task: len(names) for task, names in classes.items()}
        self.options = options
        self.tensors = Tensors(examples, device)
        self.weights = example_weights(examples, self.classes, options.tasks, device)
        self._alignment = Retrieval(examples) if options.alignment else None

    def __call__(self, network: Network) -> dict[str, float]:
        """By task: `validation/TASK/loss`, weighted as in training, and figures of its kind.

        Accuracy and macro-F1 of classes and labels, R² of a number, with probabilities as they
        come and thresholds of a half; of an alignment its mean recall. And `validation/score`,
        which early stopping wants high: the mean of macro-F1, R² or mean recall by the tasks'
        weights (of what is best where it is least: minus it), or minus the sum of their losses. All
        tasks have a say, because the figure of one on a small split jumps, and a lucky early epoch
        would leave the others half learnt. If a loss is no finite number there are the losses and a
        score that is NaN.
        """
        outputs = network.predict_logits(self.tensors, self.examples.present)
        taught = outputs
        if any(options.task.SEQUENCE for options in self.options.tasks.values()):
            taught = network.predict_logits(self.tensors, self.examples.present, teach=True)
        losses = loss(
            taught,
            self.tensors.targets,
            self.weights,
            self.options.tasks,
            self.options.label_smoothing,
        )
        figures = {f"validation/{task}/loss": each.item() for task, each in losses.items()}
        if self._alignment is not None:
            figures[f"validation/{ALIGNMENT}/loss"] = self._alignment_loss(network)
        if not all(map(math.isfinite, figures.values())):
            # scikit-learn refuses what is no number, or calls it class 0.
            return {**figures, "validation/score": math.nan}
        for task, k in self.classes.items():
            for name, value in self._figures(task, k, outputs[task]).items():
                figures[f"validation/{task}/{name}"] = value
        if self._alignment is not None:
            vectors = network.vectors(self.tensors, self.examples.present)
            figures[f"validation/{ALIGNMENT}/{MEAN_RECALL}"] = self._alignment.mean_recall(*vectors)
        return {**figures, "validation/score": self._score(figures)}

    def calibrate(self, network: Network, scales: Mapping[str, tuple[float, float]]) -> None:
        """Fit the network's readings; `scales`: mean and deviation of the targets that have one.

        Classes count as often as they occur, since that is how they will be met; samples of a
        component share a weight if the task's do.
        """
        outputs = network.predict_logits(self.tensors, self.examples.present)
        for task, decoding in network.decodings.items():
            if task in scales:
                mean, deviation = scales[task]
                decoding = replace(decoding, mean=mean, deviation=deviation)
            as_is = self.options.tasks[task].model_copy(update={"classes": "as_is"})
            targets = self.examples.targets[task]
            counted = balanced_weights(targets, self.examples.component, self.classes[task], as_is)
            network.decodings[task] = fit_decoding(decoding, outputs[task], targets, counted)

    def _figures(self, task: str, classes: int, outputs: torch.Tensor) -> dict[str, float]:
        """Of numbers as they were learned, standardised, to which R² is all the same."""
        learned = self.options.tasks[task].task
        kind, names = self.options.tasks[task].kind, tuple(self.names[task])
        decoding = Decoding(kind, classes=names)
        labelled = has_target(self.examples.targets[task])
        truth, answer = (
            self.examples.targets[task][labelled],
            decoding.probabilities(outputs)[labelled],
        )
        decision = decoding.predict(answer)
        if learned.ONE_CLASS:
            measured = class_scores(truth, decision, classes)
        else:
            truth, decision = decoding.measurable(truth), decoding.measurable(decision)
            measured = learned.figures(truth, answer, decision) if len(truth) else {}
        best = ranked_by(learned)
        figures = ("accuracy", best) if "accuracy" in learned.FIGURES else (best,)
        return {name: measured.get(name, 0.0) for name in figures}

    def _alignment_loss(self, network: Network) -> float:
        """The mean over batches as large as training's, each weighed by its examples."""
        network.eval()
        count, total = len(self.examples), 0.0
        with torch.inference_mode():
            for start in range(0, count, self.options.batch_size):
                rows = np.arange(start, min(start + self.options.batch_size, count))
                inputs = self.tensors.gather(rows)
                tokens, _ = network.tokens(inputs.values, inputs.lengths, inputs.present)
                component = self.tensors.targets[ALIGNMENT][start : start + len(rows)]
                loss = network.alignment_loss(tokens, inputs, component)
                total += loss.item() * len(rows)
        return total / count

    def _score(self, figures: Mapping[str, float]) -> float:
        options = self.options
        if options.monitor == "loss":
            return -sum(figures[f"validation/{name}/loss"] for name in options.objectives)
        weighed = []
        for name, learned in options.tasks.items():
            first = ranked_by(learned.task)
            value = learned.task.FIGURES[first].sign * figures[f"validation/{name}/{first}"]
            weighed.append((learned.weight, value))
        if options.alignment is not None:
            recall = figures[f"validation/{ALIGNMENT}/{MEAN_RECALL}"]
            weighed.append((options.alignment.weight, recall))
        return sum(weight * value for weight, value in weighed) / sum(each for each, _ in weighed)
