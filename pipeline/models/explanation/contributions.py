"""Rows of contributions.csv: Shapley values, permutation importance, weights, gradients.

Macro-F1 says what a modality does for the score; the logarithm of a class's probability, in nats,
what it does for an answer. Intervals are by resampling components.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pipeline.core.randomness import generator
from pipeline.models.decoding import Decoding
from pipeline.models.evaluation.bootstrap import interval
from pipeline.models.evaluation.options import EvaluationOptions
from pipeline.models.evaluation.perturbations import donors, misaligned
from pipeline.models.evaluation.scorer import Scorer
from pipeline.models.evaluation.subsets import all_subsets
from pipeline.models.examples import Examples
from pipeline.models.explanation.shapley import shapley
from pipeline.models.explanation.weights import weights
from pipeline.models.prediction import predict
from pipeline.models.saving import Model

Row = dict[str, Any]
# A probability that was rounded to 0 counts as this.
SMALLEST = 1e-7


def contributions(
    model: Model, examples: Examples, options: EvaluationOptions, seed: int
) -> list[Row]:
    """What each modality gives to the answers on some examples, for tasks of one class a sample.

    `measure`: shapley, of the score (level overall), of the true class's log-probability (level
    class) and, for the primary task, of the answer's (level sample); permutation, the loss of
    score when the modality is another component's; weight, its mean share where the fusion says.
    """
    rows: list[Row] = []
    modalities = examples.modalities
    asked = [predict(model.network, examples, model.priors, s) for s in all_subsets(modalities)]
    shares = weights(model, examples)
    swapped = {
        modality: [_swapped(model, examples, modality, seed, draw) for draw in range(options.draws)]
        for modality in modalities
        if options.draws
    }
    for task, classes in model.classes.items():
        if not model.options.tasks[task].task.ONE_CLASS:
            continue
        known = examples.targets[task] >= 0
        if not known.any():
            continue
        reading = model.network.readings[task]
        some = examples.take(known)
        worth = np.stack([each[task][known] for each in asked])
        rng = generator(seed, "contributions", task)
        scorer = Scorer(some.targets[task], some.component, len(classes), options.resamples, rng)
        answered = np.stack([reading.predict(each) for each in worth])
        found = list(_overall(scorer, answered, modalities, options.confidence))
        found += _classes(some.targets[task], worth, classes, modalities)
        if task == model.options.primary:
            found += _samples(examples, np.stack([each[task] for each in asked]), reading)
        said = {
            m: [reading.predict(each[task][known]) for each in drawn]
            for m, drawn in swapped.items()
        }
        found += _permuted(scorer, answered[-1], said, options.confidence)
        if task in shares:
            mean = shares[task][known].mean(0)
            found += [
                _row("weight", "overall", "", modality, mean[i], len(some))
                for i, modality in enumerate(modalities)
            ]
        rows += [{"task": task, **row} for row in found]
    return rows


def _overall(
    scorer: Scorer, said: np.ndarray, modalities: tuple[str, ...], confidence: float
) -> Iterator[Row]:
    scores = scorer.scores([[each] for each in said])
    values = shapley(np.array([score.value for score in scores]))
    drawn = shapley(np.stack([score.drawn for score in scores]))
    for i, modality in enumerate(modalities):
        between = interval(drawn[i], confidence) if scorer.has_intervals else None
        yield _row("shapley", "overall", "", modality, values[i], said.shape[1], between)


def _classes(
    truth: np.ndarray, worth: np.ndarray, classes: list[str], modalities: tuple[str, ...]
) -> Iterator[Row]:
    each = shapley(_nats(worth, truth))
    for k, name in enumerate(classes):
        rows = truth == k
        if rows.any():
            for i, modality in enumerate(modalities):
                yield _row("shapley", "class", name, modality, each[i, rows].mean(), rows.sum())


def _samples(examples: Examples, worth: np.ndarray, reading: Decoding) -> Iterator[Row]:
    each = shapley(_nats(worth, reading.predict(worth[-1])))
    for n, sample in enumerate(examples.sample_ids):
        for i, modality in enumerate(examples.modalities):
            if examples.has[n, i]:
                yield _row("shapley", "sample", str(sample), modality, each[i, n], 1)


def _swapped(
    model: Model, examples: Examples, modality: str, seed: int, draw: int
) -> dict[str, np.ndarray]:
    """Probabilities by task when the modality is another component's."""
    rng = generator(seed, "permutation", modality, draw)
    worse = misaligned(examples, modality, donors(examples, modality, rng))
    return predict(model.network, worse, model.priors)


def _permuted(
    scorer: Scorer,
    answers: np.ndarray,
    swapped: Mapping[str, list[np.ndarray]],
    confidence: float,
) -> Iterator[Row]:
    """Permutation importance (Breiman 2001, doi:10.1023/A:1010933404324), over components."""
    sets = [answers, *(said for drawn in swapped.values() for said in drawn)]
    start, *rest = scorer.scores([[said] for said in sets])
    for modality, drawn in swapped.items():
        scores, rest = rest[: len(drawn)], rest[len(drawn) :]
        value = float(np.mean([start.value - score.value for score in scores]))
        losses = np.concatenate([start.drawn - score.drawn for score in scores])
        between = interval(losses, confidence) if scorer.has_intervals else None
        yield _row("permutation", "overall", "", modality, value, len(answers), between)


def _nats(worth: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Log-probability of one class an example: (subsets, n, classes), (n,) to (subsets, n)."""
    chosen = worth[:, np.arange(len(classes)), classes].astype(np.float64)
    return np.asarray(np.log(chosen.clip(min=SMALLEST)))


def _row(
    measure: str,
    level: str,
    name: str,
    modality: str,
    value: float,
    n: int,
    between: tuple[float, float] | None = None,
) -> Row:
    low, high = between or ("", "")
    return {
        "measure": measure,
        "level": level,
        "name": name,
        "modality": modality,
        "value": float(value),
        "low": low,
        "high": high,
        "n": int(n),
    }
