"""Learning from a trained network's answers beside the truth.

Knowledge distillation (Hinton et al. 2015, arXiv:1503.02531): both see the same views with the same
modalities hidden, and the loss is (1 - share) · the loss of the truth + share · T² · the distance
from the teacher's answer, both answers softened by the temperature T.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.models.network import Network
from pipeline.models.task_options import TaskOptions
from pipeline.models.tasks import Task
from pipeline.models.training.batches import MicroBatch, NetworkInputs
from pipeline.models.training.losses import mean_loss


@dataclass(frozen=True)
class Teacher:
    """A network whose answers are learned.

    Parameters
    ----------
    columns:
        Where its sets stand among those of the examples: int64 (sets,).
    share:
        Of the loss, from 0 to 1.
    """

    network: Network
    columns: Tensor
    temperature: float
    share: float

    def logits(self, inputs: NetworkInputs) -> dict[str, Tensor]:
        """By task, (n, outputs), without a gradient."""
        with torch.no_grad():
            self.network.eval()
            present = inputs.present[:, self.columns]
            answered: dict[str, Tensor] = self.network(inputs.values, inputs.lengths, present)
        return answered

    def losses(
        self,
        logits: Mapping[str, Tensor],
        taught: Mapping[str, Tensor],
        truth: Mapping[str, Tensor],
        batch: MicroBatch,
        tasks: Mapping[str, TaskOptions],
    ) -> dict[str, Tensor]:
        """By task, of what a network says, what the teacher says and `truth`, the other's loss.

        Examples count as they do by the truth, so that one without a target teaches nothing of it.
        """
        return {
            task: (1 - self.share) * truth[task]
            + self.share
            * options.weight
            * mean_loss(
                distances(options.task, logits[task], taught[task], self.temperature),
                batch.targets[task],
                batch.weights[task],
            )
            for task, options in tasks.items()
        }


def distances(task: Task, logits: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """How far answers are from those of a teacher: (n,), or (n, labels).

    Of classes Kullback and Leibler's divergence, of bits the cross entropy less the teacher's own
    entropy, both times T²; of a number half the squared error.
    """
    if task.NUMBER:
        return (logits - taught)[:, 0] ** 2 / 2
    soft, student = taught / temperature, logits / temperature
    if task.SOFTMAX:
        each = functional.kl_div(
            student.log_softmax(1), soft.log_softmax(1), reduction="none", log_target=True
        ).sum(1)
        return each * temperature**2
    bits = soft.sigmoid()
    entropy = functional.binary_cross_entropy_with_logits(soft, bits, reduction="none")
    cross = functional.binary_cross_entropy_with_logits(student, bits, reduction="none")
    each = (cross - entropy) * temperature**2
    return each.sum(1) if task.ONE_CLASS else each
