"""The figures of a model's answers to one task, with intervals, and those of seeing nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.core.records import MIN_COMPONENTS
from pipeline.models.decoding import Decoding
from pipeline.models.evaluation.answers import Answers
from pipeline.models.evaluation.bootstrap import Resamples, interval, replicates, replicates_of_rows
from pipeline.models.evaluation.options import EvaluationOptions
from pipeline.models.metrics import bin_of, calibration, calibration_error, scores
from pipeline.models.tasks import headline


def all_metrics(
    given: Answers, options: EvaluationOptions, rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """Each figure of the task, in its order: value, low, high; the value alone of few components.

    What all classes have is resampled by sums, which is quick, and the rest row by row.
    """
    resamples = Resamples(rng, given.components, options.resamples)
    values: dict[str, float] = {}
    drawn: dict[str, np.ndarray] = {}
    if given.task.ONE_CLASS:
        values = {**scores(given.truth, given.prediction), "ece": _error(given, options.bins)}
        blocks = [
            replicates(
                counts,
                given.component,
                given.truth,
                given.prediction,
                bin_of(given.confidence, options.bins),
                given.confidence,
                given.classes,
                options.bins,
            )
            for counts in resamples
        ]
        drawn = {name: np.concatenate([block[name] for block in blocks]) for name in values}
    own = _own(given, options.bins)
    if own:
        values |= own
        drawn |= replicates_of_rows(
            resamples, given.component, lambda rows: _own(given.take(rows), options.bins)
        )
    if unnamed := values.keys() - given.task.FIGURES.keys():
        raise PipelineError(
            f"task '{given.kind}' measures {', '.join(sorted(unnamed))}: name them in its FIGURES"
        )
    found = {}
    for name in given.task.FIGURES:
        if name in values:
            found[name] = {"value": values[name]}
            if given.components >= MIN_COMPONENTS:
                low, high = interval(drawn[name], options.confidence)
                found[name] |= {"low": low, "high": high}
    return found


def metrics_without_intervals(given: Answers) -> dict[str, float]:
    """The figures without intervals."""
    own = given.task.figures(given.truth, given.answer, given.prediction)
    return {**(scores(given.truth, given.prediction) if given.task.ONE_CLASS else {}), **own}


def baseline(given: Answers, prior: np.ndarray, reading: Decoding) -> dict[str, dict[str, float]]:
    """What an answer that looks at nothing would score in the task's headlines, by its name.

    It is the commonest class of the train split, the labels that most there have, or the mean.
    """
    answer = np.broadcast_to(prior, given.answer.shape)
    if given.task.ONE_CLASS:
        prediction = np.full(len(given), int(prior.argmax()))
    else:
        prediction = replace(reading, thresholds=(0.5,)).predict(answer)
    found = metrics_without_intervals(replace(given, prediction=prediction, answer=answer))
    return {given.task.TRIVIAL: headline(given.task, found)}


def _own(given: Answers, bins: int) -> dict[str, float]:
    """Figures of the task alone, with its calibration error where no sums give it."""
    found = given.task.figures(given.truth, given.answer, given.prediction)
    if "ece" in given.task.FIGURES and not given.task.ONE_CLASS:
        found["ece"] = _error(given, bins)
    return dict(found)


def _error(given: Answers, bins: int) -> float:
    return float(
        calibration_error(calibration(given.confidence.ravel(), given.correct.ravel(), bins))
    )
