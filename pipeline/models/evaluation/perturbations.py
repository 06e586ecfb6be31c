"""Examples made worse on purpose: a modality is noisy, or belongs to another sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pipeline.models.examples import Examples


def feature_noise(
    examples: Examples,
    modality: str,
    deviations: Mapping[str, np.ndarray],
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Normal noise for every feature of a modality, of its deviation (bands,), by set.

    Sets without a deviation, such as ids of words, get none.
    """
    noise_by_set = {}
    for i in _columns_of(examples, modality):
        name = examples.sets[i].name
        if name not in deviations:
            continue
        noise = rng.standard_normal(examples.values[name].shape, dtype=np.float32)
        noise_by_set[name] = noise * deviations[name].astype(np.float32)
    return noise_by_set


def add_noise(examples: Examples, noise: Mapping[str, np.ndarray], amount: float) -> Examples:
    """With so many times the noise added to the sets that have some."""
    loud = np.float32(amount)
    added = {name: examples.values[name] + loud * set_noise for name, set_noise in noise.items()}
    return replace(examples, values={**examples.values, **added})


def misalign(examples: Examples, modality: str, donors: np.ndarray) -> Examples:
    """With a modality of other samples, row by row `donors`: int64 (n,).

    Rows without the modality stay so.
    """
    owned = _columns_of(examples, modality)
    has = examples.present[:, owned].any(1)
    source = np.where(has, donors, np.arange(len(examples)))
    names = [examples.sets[i].name for i in owned]
    present = examples.present.copy()
    present[:, owned] = present[source][:, owned]
    return replace(
        examples,
        values={k: a[:, source] if k in names else a for k, a in examples.values.items()},
        lengths={k: a[:, source] if k in names else a for k, a in examples.lengths.items()},
        present=present,
    )


def donors(examples: Examples, modality: str, rng: np.random.Generator) -> np.ndarray:
    """For each row another that has the modality and is of another component: int64 (n,).

    Where there is none, the row itself.
    """
    n = len(examples)
    pool = np.flatnonzero(examples.present[:, _columns_of(examples, modality)].any(1))
    if len(np.unique(examples.component[pool])) < 2:
        return np.arange(n)
    chosen = rng.choice(pool, n)
    while (same := examples.component[chosen] == examples.component).any():
        chosen[same] = rng.choice(pool, int(same.sum()))
    return chosen


def _columns_of(examples: Examples, modality: str) -> list[int]:
    return [i for i, spec in enumerate(examples.sets) if spec.modality == modality]
