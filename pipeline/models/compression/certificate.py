"""Whether a compressed model is no worse than the model that it was made from, for certain.

Non-inferiority: both answer the same resamples of components, and the lower end of the interval of
the difference of their scores lies above -margin (Piaggio et al. 2012, doi:10.1001/jama.2012.87802,
with the paired bootstrap over components in place of a normal approximation). To see no difference
proves nothing where samples are few; the interval then is wide, and the certificate is not given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core.randomness import generator
from pipeline.core.records import MIN_COMPONENTS
from pipeline.models.evaluation.answers import Answers, known_answers
from pipeline.models.evaluation.bootstrap import Resamples, interval, replicates_of_rows
from pipeline.models.evaluation.options import EvaluationOptions
from pipeline.models.evaluation.scorer import Scorer
from pipeline.models.examples import Examples
from pipeline.models.metrics import class_scores
from pipeline.models.prediction import Answering
from pipeline.models.targets import has_target
from pipeline.models.tasks import ranked_by

POINT = 0.01


@dataclass(frozen=True)
class TaskDifference:
    """The first figure of a task, of the model and of what it was compressed to, on one split.

    `low` and `high` bound the difference, compressed less model; None where there are too few
    components, or no figure. Of a figure of which less is better the signs are turned.
    """

    task: str
    figure: str
    samples: int
    components: int
    model: float
    compressed: float
    difference: float
    low: float | None
    high: float | None

    def holds(self, margin: float) -> bool:
        """Whether it is no worse, for certain, than the margin in points."""
        return self.low is not None and self.low > -margin * POINT


def task_difference(
    examples: Examples,
    task: str,
    answers: tuple[np.ndarray, np.ndarray],
    networks: tuple[Answering, Answering],
    options: EvaluationOptions,
    seed: int,
) -> TaskDifference:
    """Compare two networks' answers to the same examples; the model's stands first."""
    pair = tuple(
        known_answers(examples, task, answer, network.decodings[task])
        for answer, network in zip(answers, networks, strict=True)
    )
    learned, count = pair[0].task, pair[0].components
    figure = ranked_by(learned)
    sign = learned.FIGURES[figure].sign
    before, after = (_score(each, figure) for each in pair)
    low = high = None
    if count >= MIN_COMPONENTS:
        drawn = sign * _resampled(pair, figure, options.resamples, generator(seed, "certify", task))
        low, high = interval(drawn, options.confidence)
    return TaskDifference(
        task, figure, len(pair[0]), count, before, after, sign * (after - before), low, high
    )


def _score(answers: Answers, figure: str) -> float:
    if not len(answers):
        return float("nan")
    if answers.task.ONE_CLASS:
        return class_scores(answers.truth, answers.prediction, answers.classes)[figure]
    return answers.task.figures(answers.truth, answers.answer, answers.prediction)[figure]


def _resampled(
    pair: tuple[Answers, ...], figure: str, resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """The difference on each resample of components, float64 (resamples,)."""
    truth, component = pair[0].truth, pair[0].component
    if pair[0].task.ONE_CLASS:
        scorer = Scorer(truth, component, pair[0].classes, resamples, rng)
        before, after = scorer.scores([[each.prediction] for each in pair])
        return np.asarray(after.drawn - before.drawn)
    counts = list(Resamples(rng, pair[0].components, resamples))
    before_drawn, after_drawn = (
        replicates_of_rows(counts, component, _measure(each))[figure] for each in pair
    )
    return np.asarray(after_drawn - before_drawn)


def _measure(answers: Answers) -> Any:
    def measure(rows: np.ndarray) -> Mapping[str, float]:
        part = answers.take(rows)
        return part.task.figures(part.truth, part.answer, part.prediction)

    return measure


def changed_answers(
    examples: Examples,
    task: str,
    classes: list[str],
    answers: tuple[np.ndarray, np.ndarray],
    networks: tuple[Answering, Answering],
) -> Iterator[dict[str, Any]]:
    """The examples to which both decide otherwise, in their order; of a number there are none.

    `before` and `after` are decisions as text, `before_sure` and `after_sure` their probabilities.
    """
    decodings = [network.decodings[task] for network in networks]
    learned = decodings[0].task
    if learned.NUMBER or not len(examples):
        return
    decided = [d.predict(answer) for d, answer in zip(decodings, answers, strict=True)]
    sure = [learned.certainty(answer, each) for answer, each in zip(answers, decided, strict=True)]
    differs = np.not_equal(*decided).reshape(len(examples), -1).any(1)
    targets = examples.targets[task]
    known = has_target(targets)
    for row in np.flatnonzero(differs):
        truth, before, after = (
            decodings[0].format(each, classes)
            for each in (targets[row], decided[0][row], decided[1][row])
        )
        yield {
            "task": task,
            "sample_id": str(examples.sample_ids[row]),
            "truth": truth if known[row] else "",
            "before": before,
            "before_sure": float(sure[0][row]),
            "after": after,
            "after_sure": float(sure[1][row]),
        }
