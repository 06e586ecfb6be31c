"""What training looks like: mean and deviation of features and of targets, or their words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pipeline.models.examples import Examples


def feature_moments(train: Examples, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation per column, float64 (bands,), over view 0 where it is present.

    Of a sequence's frames, those within its length count. Zeros and ones if nothing is present.
    """
    values = _seen(train, name)
    if len(values) == 0:
        bands = values.shape[-1]
        return np.zeros(bands), np.ones(bands)
    return values.mean(0, dtype=np.float64), values.std(0, dtype=np.float64)


def id_counts(train: Examples, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Distinct ids in order and how often each occurs, int64 (k,) each, over the same frames."""
    ids, count = np.unique(_seen(train, name), return_counts=True)
    return ids.astype(np.int64), count.astype(np.int64)


def _seen(train: Examples, name: str) -> np.ndarray:
    """Present rows at view 0, (k, D), or the frames within their lengths, (k, bands)."""
    column = [spec.name for spec in train.sets].index(name)
    rows = train.present[:, column]
    values: np.ndarray = train.values[name][0, rows]
    if values.ndim == 3:
        within = np.arange(values.shape[1]) < train.lengths[name][0, rows][:, None]
        return np.asarray(values[within])
    return values


def target_scales(train: Examples) -> dict[str, tuple[float, float]]:
    """Task → mean and standard deviation, of the targets that are numbers."""
    return {
        task: (
            float(np.nanmean(array, dtype=np.float64)),
            float(np.nanstd(array, dtype=np.float64)),
        )
        for task, array in train.targets.items()
        if array.dtype.kind == "f" and array.ndim == 1
    }


def standardise_targets(examples: Examples, scales: Mapping[str, tuple[float, float]]) -> Examples:
    """The same examples with those targets in deviations from the mean."""
    return replace(
        examples,
        targets={
            task: ((array - scales[task][0]) / scales[task][1]).astype(array.dtype)
            if task in scales
            else array
            for task, array in examples.targets.items()
        },
    )
