"""What a model answered on one split, for one task, where the truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.models.examples import Examples


@dataclass(frozen=True)
class Answers:
    """n answers: class indices, the probability of the answer, the component's index."""

    truth: np.ndarray
    prediction: np.ndarray
    confidence: np.ndarray
    component: np.ndarray
    classes: int

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: np.ndarray) -> Answers:
        return Answers(
            self.truth[rows],
            self.prediction[rows],
            self.confidence[rows],
            self.component[rows],
            self.classes,
        )

    @property
    def components(self) -> int:
        return len(np.unique(self.component))


def answers(examples: Examples, task: str, probabilities: np.ndarray) -> Answers:
    """Answers of the examples whose truth is known, in their order.

    probabilities: (n, classes). Of equally probable classes the first is the answer.
    """
    known = examples.targets[task] >= 0
    shown = probabilities[known]
    return Answers(
        truth=examples.targets[task][known],
        prediction=shown.argmax(1),
        confidence=shown.max(1, initial=0.0),
        component=np.unique(examples.component[known], return_inverse=True)[1],
        classes=probabilities.shape[1],
    )
