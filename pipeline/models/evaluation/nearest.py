"""The answer of the nearest training example, which whoever generates answers has to beat."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from pipeline.models.examples import Examples
from pipeline.models.statistics import feature_moments
from pipeline.models.targets import has_target

NAME = "nearest neighbour"
# By how much a model is ahead of it.
LEAD = "lead"


def nearest_rows(
    train: Examples, examples: Examples, task: str, skipped: Collection[str] = ()
) -> np.ndarray:
    """For each of n examples the row of `train` that has the target and is most alike, int64 (n,).

    Alike is the mean cosine over the feature sets that both have, each standardised as in training,
    sequences by the mean of their frames; sets that are `skipped` do not count. -1 where there is
    nothing to compare. Of equals the first.
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
    alike = np.divide(total, shared, out=np.full_like(total, -np.inf), where=shared > 0)
    if not len(labelled):
        return np.full(len(examples), -1)
    return np.where(shared.any(1), labelled[alike.argmax(1)], -1)


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
