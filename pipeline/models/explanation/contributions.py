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
from pipeline.models.evaluation.perturbations import donors, misalign
from pipeline.models.evaluation.scorer import Scorer
from pipeline.models.evaluation.subsets import all_subsets
from pipeline.models.examples import Examples
from pipeline.models.explanation.shapley import shapley
from pipeline.models.explanation.weights import modality_weights
from pipeline.models.prediction import predict
from pipeline.models.saving import TrainedModel

Row = dict[str, Any]
# A probability that was rounded to 0 counts as this.
SMALLEST = 1e-7


def contributions(
    model: TrainedModel, examples: Examples, options: EvaluationOptions, seed: int
) -> list[Row]:
    """What each modality gives to the answers on some examples, for tasks of one class per sample.

    `measure`: shapley, of the score (level overall), of the true class's log-probability (level
    class) and, for the primary task, of the answer's (level sample); permutation, the loss of
    score when the modality is another component's; weight, its mean share where the fusion says.
    """
    modalities = examples.modalities
    by_subset = [predict(model.network, examples, model.priors, s) for s in all_subsets(modalities)]
    weights = modality_weights(model, examples)
    swapped = {
        modality: [
            _predict_swapped(model, examples, modality, seed, draw) for draw in range(options.draws)
        ]
        for modality in modalities
        if options.draws
    }
    rows: list[Row] = []
    for task, classes in model.classes.items():
        labelled = examples.targets[task] >= 0
        if not model.options.tasks[task].task.ONE_CLASS or not labelled.any():
            continue
        decoding = model.network.decodings[task]
        worth = np.stack([probabilities[task] for probabilities in by_subset])
        of_labelled = worth[:, labelled]
        answered = np.stack([decoding.predict(probabilities) for probabilities in of_labelled])
        swapped_answers = {
            modality: [decoding.predict(drawn[task][labelled]) for drawn in draws]
            for modality, draws in swapped.items()
        }
        judged = examples.take(labelled)
        truth, rng = judged.targets[task], generator(seed, "contributions", task)
        scorer = Scorer(truth, judged.component, len(classes), options.resamples, rng)
        groups = (
            _overall(scorer, answered, modalities, options.confidence),
            _classes(truth, of_labelled, classes, modalities),
            _samples(examples, worth, decoding) if task == model.options.primary else (),
            _permuted(scorer, answered[-1], swapped_answers, options.confidence),
            _weights(weights[task][labelled], modalities) if task in weights else (),
        )
        rows += [{"task": task, **row} for group in groups for row in group]
    return rows


def _overall(
    scorer: Scorer, predictions: np.ndarray, modalities: tuple[str, ...], confidence: float
) -> Iterator[Row]:
    scores = scorer.scores([[subset_predictions] for subset_predictions in predictions])
    values = shapley(np.array([score.value for score in scores]))
    drawn = shapley(np.stack([score.drawn for score in scores]))
    for i, modality in enumerate(modalities):
        between = interval(drawn[i], confidence) if scorer.has_intervals else None
        yield _row("shapley", "overall", "", modality, values[i], predictions.shape[1], between)


def _classes(
    truth: np.ndarray, worth: np.ndarray, classes: list[str], modalities: tuple[str, ...]
) -> Iterator[Row]:
    log_contributions = shapley(_nats(worth, truth))
    for k, name in enumerate(classes):
        rows = truth == k
        if rows.any():
            for i, modality in enumerate(modalities):
                yield _row(
                    "shapley",
                    "class",
                    name,
                    modality,
                    log_contributions[i, rows].mean(),
                    rows.sum(),
                )


def _samples(examples: Examples, worth: np.ndarray, decoding: Decoding) -> Iterator[Row]:
    log_contributions = shapley(_nats(worth, decoding.predict(worth[-1])))
    for n, sample in enumerate(examples.sample_ids):
        for i, modality in enumerate(examples.modalities):
            if examples.has[n, i]:
                yield _row("shapley", "sample", str(sample), modality, log_contributions[i, n], 1)


def _predict_swapped(
    model: TrainedModel, examples: Examples, modality: str, seed: int, draw: int
) -> dict[str, np.ndarray]:
    """Probabilities by task when the modality is another component's."""
    rng = generator(seed, "permutation", modality, draw)
    worse = misalign(examples, modality, donors(examples, modality, rng))
    return predict(model.network, worse, model.priors)


def _permuted(
    scorer: Scorer,
    answers: np.ndarray,
    swapped: Mapping[str, list[np.ndarray]],
    confidence: float,
) -> Iterator[Row]:
    """Permutation importance (Breiman 2001, doi:10.1023/A:1010933404324), over components."""
    sets = [answers, *(predictions for drawn in swapped.values() for predictions in drawn)]
    start, *rest = scorer.scores([[predictions] for predictions in sets])
    for modality, drawn in swapped.items():
        scores, rest = rest[: len(drawn)], rest[len(drawn) :]
        value = float(np.mean([start.value - score.value for score in scores]))
        losses = np.concatenate([start.drawn - score.drawn for score in scores])
        between = interval(losses, confidence) if scorer.has_intervals else None
        yield _row("permutation", "overall", "", modality, value, len(answers), between)


def _weights(weights: np.ndarray, modalities: tuple[str, ...]) -> Iterator[Row]:
    """The mean of (n, modalities), by modality."""
    mean = weights.mean(0)
    for i, modality in enumerate(modalities):
        yield _row("weight", "overall", "", modality, mean[i], len(weights))


def _nats(worth: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Log-probability of one class per example: (subsets, n, classes), (n,) to (subsets, n)."""
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
