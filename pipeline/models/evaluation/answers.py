"""What a model answered on one split, for one task, where the truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.models.decoding import Decoding
from pipeline.models.examples import Examples
from pipeline.models.targets import has_target
from pipeline.models.tasks import Task, task_of


@dataclass(frozen=True)
class Answers:
    """n answers: truths and decisions, the probabilities behind them, the component's index.

    `truth` and `prediction` are class indices (n,), labels 0 or 1 (n, labels), values (n,) or
    texts, object (n,);
    `confidence` the probability of the answered class (n,) or of each label (n, labels), and
    `correct` whether it came true; `answer` is what `predict` gave, (n, classes) or (n, 1).
    """

    truth: np.ndarray
    prediction: np.ndarray
    confidence: np.ndarray
    component: np.ndarray
    classes: int
    answer: np.ndarray
    kind: str = "multiclass"

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: np.ndarray) -> Answers:
        return Answers(
            self.truth[rows],
            self.prediction[rows],
            self.confidence[rows],
            self.component[rows],
            self.classes,
            self.answer[rows],
            self.kind,
        )

    @property
    def task(self) -> Task:
        return task_of(self.kind)

    @property
    def components(self) -> int:
        return len(np.unique(self.component))

    @property
    def correct(self) -> np.ndarray:
        return self.task.correct(self.truth, self.prediction)


def known_answers(
    examples: Examples, task: str, answer: np.ndarray, decoding: Decoding | None = None
) -> Answers:
    """Answers of the examples whose truth is known, in their order.

    answer: (n, classes) or (n, 1), as `predict` gives it. reading: the network's for the task;
    without it the likeliest class is the answer, of equally probable ones the first.
    """
    decoding = decoding or Decoding()
    labelled = has_target(examples.targets[task])
    probabilities = answer[labelled]
    decision = decoding.predict(probabilities)
    return Answers(
        truth=decoding.measurable(examples.targets[task][labelled]),
        prediction=decoding.measurable(decision),
        confidence=decoding.task.confidence(probabilities, decision),
        component=np.unique(examples.component[labelled], return_inverse=True)[1],
        classes=answer.shape[1],
        answer=probabilities,
        kind=decoding.kind,
    )
