"""Answers taken from training, which whoever generates answers has to beat.

Where a decoder is told something, such as the language, so are they.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from pipeline.models.evaluation.answers import known_answers
from pipeline.models.evaluation.figures import lead
from pipeline.models.evaluation.options import EvaluationOptions
from pipeline.models.examples import Examples
from pipeline.models.saving import TrainedModel
from pipeline.models.statistics import feature_moments
from pipeline.models.targets import has_target
from pipeline.models.tasks import headline

NAME = "nearest neighbour"
# By how much a model is ahead of it.
LEAD = "lead"
# The share of truths that stand in the train split, too: nobody who repeats is more often right.
REPEATED = "repeated"


def repeating_baselines(
    model: TrainedModel,
    train: Examples,
    examples: Examples,
    task: str,
    answer: np.ndarray,
    options: EvaluationOptions,
    rng: np.random.Generator,
) -> dict[str, dict[str, float]]:
    """What the commonest and the nearest answer of training come to, by their names.

    Headlines of both, the model's lead on the nearest, and which share of the truths is `REPEATED`;
    nothing where no example with a truth can be seen. answer: the model's, as `predict` gives it.
    """
    labelled = examples.take(has_target(examples.targets[task]))
    if not labelled.seen.any():
        return {}
    learned, decoding = model.options.tasks[task], model.network.decodings[task]
    truth, known_truth = labelled.targets[task], train.targets[task]
    is_told = bool(getattr(learned, "given", ""))
    given, known_given = (_given_classes(each, is_told) for each in (truth, known_truth))
    prior = np.repeat(model.priors[task][None], len(truth), 0)
    for value in np.intersect1d(given, known_given):
        candidates = known_truth[known_given == value]
        prior[given == value] = learned.prior(candidates, len(model.classes[task]))
    commonest = decoding.measurable(decoding.predict(prior))
    ids = [name for name, tower in model.torch_network.by_name.items() if tower.ids]
    rows = nearest_rows(train, labelled, task, ids, given[:, None] == known_given)
    texts, known_texts = decoding.measurable(truth), decoding.measurable(known_truth)
    near = np.where(rows < 0, commonest, known_texts[rows])
    known = set(zip(known_given.tolist(), known_texts, strict=True))
    repeated = [each in known for each in zip(given.tolist(), texts, strict=True)]
    kind = decoding.task
    return {
        kind.TRIVIAL: headline(kind, kind.figures(texts, prior, commonest)),
        NAME: headline(kind, kind.figures(texts, prior, near)),
        LEAD: lead(known_answers(examples, task, answer, decoding), near, options, rng),
        REPEATED: {"value": float(np.mean(repeated))},
    }


def _given_classes(truth: np.ndarray, is_told: bool) -> np.ndarray:
    """The class that each text begins with where the decoder is told one, int64 (n,); else 0."""
    return truth[:, 0] if is_told else np.zeros(len(truth), np.int64)


def nearest_rows(
    train: Examples,
    examples: Examples,
    task: str,
    skipped: Collection[str] = (),
    allowed: np.ndarray | None = None,
) -> np.ndarray:
    """For each of n examples the row of `train` that has the target and is most alike, int64 (n,).

    Alike is the mean cosine over the feature sets that both have, each standardised as in training,
    sequences by the mean of their frames; sets that are `skipped` do not count. `allowed` says
    which row of `train` may answer which example, bool (n, rows of `train`); None: all may.
    -1 where there is nothing to compare. Of equals the first.
    """
    labelled = np.flatnonzero(has_target(train.targets[task]))
    total = np.zeros((len(examples), len(labelled)), np.float32)
    shared = np.zeros_like(total)
    for column, spec in enumerate(train.sets):
        if spec.name in skipped:
            continue
        mean, deviation = feature_moments(train, spec.name)
        known = _directions(train, spec.name, column, mean, deviation)[labelled]
        asked = _directions(examples, spec.name, column, mean, deviation)
        total += asked @ known.T
        shared += np.outer(examples.present[:, column], train.present[labelled, column])
    comparable = shared > 0
    if allowed is not None:
        comparable &= allowed[:, labelled]
    alike = np.divide(total, shared, out=np.full_like(total, -np.inf), where=comparable)
    if not len(labelled):
        return np.full(len(examples), -1)
    return np.where(comparable.any(1), labelled[alike.argmax(1)], -1)


def _directions(
    examples: Examples, name: str, column: int, mean: np.ndarray, deviation: np.ndarray
) -> np.ndarray:
    """float32 (n, bands) of length 1; zeros where the set is absent."""
    values = examples.values[name][0]
    scaled = (values - mean) / np.where(deviation > 1e-6, deviation, 1)
    if scaled.ndim == 3:
        within = np.arange(scaled.shape[1]) < examples.lengths[name][0][:, None]
        count = within.sum(1, keepdims=True).clip(min=1)
        scaled = np.where(within[..., None], scaled, 0).sum(1) / count
    scaled = np.where(examples.present[:, [column]], scaled, 0)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    return (scaled / np.where(length > 0, length, 1)).astype(np.float32)
