"""The figures of a model's answers to one task, with intervals, and those of seeing nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.core import registry
from pipeline.core.errors import PipelineError
from pipeline.core.records import MIN_COMPONENTS
from pipeline.models.decoding import Decoding
from pipeline.models.evaluation.answers import Answers
from pipeline.models.evaluation.bootstrap import Resamples, interval, replicates, replicates_of_rows
from pipeline.models.evaluation.options import EvaluationOptions
from pipeline.models.metrics import bin_of, calibration, calibration_error, class_scores, scores
from pipeline.models.tasks import FOLDER, Generative, headline, ranked_by


def all_metrics(
    answers: Answers, options: EvaluationOptions, rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """Each figure of the task, in its order: value, low, high; the value alone of few components.

    What all classes have is resampled by sums, which is quick, and the rest row by row.
    """
    resamples = Resamples(rng, answers.components, options.resamples)
    values: dict[str, float] = {}
    drawn: dict[str, np.ndarray] = {}
    if answers.task.ONE_CLASS:
        values = {**scores(answers.truth, answers.prediction), "ece": _error(answers, options.bins)}
        blocks = [
            replicates(
                counts,
                answers.component,
                answers.truth,
                answers.prediction,
                bin_of(answers.confidence, options.bins),
                answers.confidence,
                answers.classes,
                options.bins,
            )
            for counts in resamples
        ]
        drawn = {name: np.concatenate([block[name] for block in blocks]) for name in values}
    own_figures = _task_figures(answers, options.bins)
    if answers.task.SEQUENCE:
        values, drawn = own_figures, _resampled_sums(answers, resamples)
    elif own_figures:
        values |= own_figures
        drawn |= replicates_of_rows(
            resamples,
            answers.component,
            lambda rows: _task_figures(answers.take(rows), options.bins),
        )
    if unnamed := values.keys() - answers.task.FIGURES.keys():
        raise PipelineError(
            f"task '{answers.kind}' measures {', '.join(sorted(unnamed))}: name them in its FIGURES"
        )
    metrics = {}
    for name in answers.task.FIGURES:
        if name in values:
            metrics[name] = {"value": values[name]}
            if answers.components >= MIN_COMPONENTS:
                low, high = interval(drawn[name], options.confidence)
                metrics[name] |= {"low": low, "high": high}
    return metrics


def _resampled_sums(answers: Answers, resamples: Resamples) -> dict[str, np.ndarray]:
    """Every figure of every resample, of what is a function of sums over the answers."""
    task = registry.load(FOLDER, answers.kind, Generative)
    terms = task.statistics(answers.truth, answers.prediction)
    of_components = np.zeros((answers.components, terms.shape[1]))
    np.add.at(of_components, answers.component, terms)
    blocks = [task.from_sums(counts @ of_components) for counts in resamples]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def lead(
    answers: Answers, other: np.ndarray, options: EvaluationOptions, rng: np.random.Generator
) -> dict[str, float]:
    """By how much generated answers are ahead of others in the figure that models are ranked by.

    value, low, high, as `all_metrics` has them. Both are measured on the same resamples, so that
    what is easy or hard for both does not count. other: object (n,), in the order of the answers.
    """
    figure, others = ranked_by(answers.task), replace(answers, prediction=other)
    both = [metrics_without_intervals(each)[figure] for each in (answers, others)]
    sign = answers.task.FIGURES[figure].sign
    ahead = {"value": sign * (both[0] - both[1])}
    if answers.components >= MIN_COMPONENTS:
        resamples = Resamples(rng, answers.components, options.resamples)
        drawn = [_resampled_sums(each, resamples)[figure] for each in (answers, others)]
        ahead["low"], ahead["high"] = interval(sign * (drawn[0] - drawn[1]), options.confidence)
    return ahead


def metrics_without_intervals(answers: Answers) -> dict[str, float]:
    """The figures without intervals: by tallies, as there are hundreds of groups."""
    truth, prediction = answers.truth, answers.prediction
    tallied = class_scores(truth, prediction, answers.classes) if answers.task.ONE_CLASS else {}
    return {**tallied, **answers.task.figures(truth, answers.answer, prediction)}


def baseline(
    answers: Answers, prior: np.ndarray, decoding: Decoding
) -> dict[str, dict[str, float]]:
    """What an answer that looks at nothing would score in the task's headlines, by its name.

    It is the commonest class of the train split, the labels that most there have, or the mean.
    """
    answer = np.broadcast_to(prior, answers.answer.shape)
    if answers.task.ONE_CLASS:
        prediction = np.full(len(answers), int(prior.argmax()))
    else:
        prediction = decoding.measurable(replace(decoding, thresholds=(0.5,)).predict(answer))
    metrics = metrics_without_intervals(replace(answers, prediction=prediction, answer=answer))
    return {answers.task.TRIVIAL: headline(answers.task, metrics)}


def _task_figures(answers: Answers, bins: int) -> dict[str, float]:
    """Figures of the task alone, with its calibration error where no sums give it."""
    own_figures = answers.task.figures(answers.truth, answers.answer, answers.prediction)
    if "ece" in answers.task.FIGURES and not answers.task.ONE_CLASS:
        own_figures["ece"] = _error(answers, bins)
    return dict(own_figures)


def _error(answers: Answers, bins: int) -> float:
    return float(
        calibration_error(calibration(answers.confidence.ravel(), answers.correct.ravel(), bins))
    )
