"""The figures of a model's answers to one task, with intervals, and those of seeing nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline import registry
from pipeline.models.evaluation.answers import Answers
from pipeline.models.evaluation.bootstrap import Resamples, interval, replicates, replicates_of_rows
from pipeline.models.evaluation.metrics import bin_of, calibration, calibration_error, scores
from pipeline.models.evaluation.options import EvaluationOptions
from pipeline.models.options import ONE_CLASS, TASKS
from pipeline.models.reading import Reading


def figures(
    given: Answers, options: EvaluationOptions, rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """Each figure of the kind, and the calibration error of probabilities: value, low, high.

    What all classes have is resampled by sums, which is quick, and the rest row by row.
    """
    resamples = Resamples(rng, given.components, options.resamples)
    values: dict[str, float] = {}
    drawn: dict[str, np.ndarray] = {}
    if given.kind in ONE_CLASS:
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
    found = {}
    for name, value in values.items():
        low, high = interval(drawn[name], options.confidence)
        found[name] = {"value": value, "low": low, "high": high}
    return found


def brief(given: Answers) -> dict[str, float]:
    """The figures without intervals."""
    own = registry.load(TASKS, given.kind).figures(given.truth, given.answer, given.prediction)
    return {**(scores(given.truth, given.prediction) if given.kind in ONE_CLASS else {}), **own}


def baseline(given: Answers, prior: np.ndarray, reading: Reading) -> dict[str, dict[str, float]]:
    """What an answer that looks at nothing would score, by name of that answer.

    `majority`: the commonest class of the train split, or the labels that most there have; `mean`:
    the mean of a number.
    """
    answer = np.broadcast_to(prior, given.answer.shape)
    if given.kind in ONE_CLASS:
        prediction = np.full(len(given), int(prior.argmax()))
    else:
        prediction = replace(reading, thresholds=(0.5,)).decide(answer)
    found = brief(replace(given, prediction=prediction, answer=answer))
    if given.kind == "regression":
        return {"mean": {name: found[name] for name in ("mae", "rmse", "r2") if name in found}}
    return {"majority": {n: found[n] for n in ("accuracy", "macro_f1") if n in found}}


def _own(given: Answers, bins: int) -> dict[str, float]:
    """Figures of the kind alone, with the calibration error of labels."""
    found = registry.load(TASKS, given.kind).figures(given.truth, given.answer, given.prediction)
    if given.kind == "multilabel":
        found["ece"] = _error(given, bins)
    return dict(found)


def _error(given: Answers, bins: int) -> float:
    return float(
        calibration_error(calibration(given.confidence.ravel(), given.correct.ravel(), bins))
    )
