"""Samples and features → aligned matrices, with the presence mask computed here and only here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.manifest import read
from pipeline.store.features import load_features


@dataclass(frozen=True)
class Joined:
    """Curated samples (n) with their features, row by row.

    Parameters
    ----------
    values:
        Feature set → float32 (n, *shape), zero where absent.
    lengths:
        Feature set → int32 (n,), valid steps of a sequence, 0 where absent.
    present:
        Feature set → bool (n,): the sample has the modality, cleaning and encoding passed it.
    targets:
        Target → object array of str or None, or float64 with NaN for None.
    """

    sample_ids: list[str]
    source: np.ndarray
    batch: np.ndarray
    group: np.ndarray
    component: np.ndarray
    split: np.ndarray
    targets: dict[str, np.ndarray]
    attributes: list[dict[str, str]]
    values: dict[str, np.ndarray]
    lengths: dict[str, np.ndarray]
    present: dict[str, np.ndarray]


def join(root: Path, sets: Mapping[str, str], view: int = 0) -> Joined:
    """Join curated samples with feature sets by asset digest.

    Parameters
    ----------
    root:
        The data directory.
    sets:
        Feature set → the modality whose asset it describes.
    view:
        0 for the cleaned assets themselves, 1..k for augmented views.
    """
    samples = read(root / "curated")
    values: dict[str, np.ndarray] = {}
    lengths: dict[str, np.ndarray] = {}
    present: dict[str, np.ndarray] = {}
    for name, modality in sets.items():
        features = load_features(root / "features" / name, view)
        place = {digest: i for i, digest in enumerate(features.digests)}
        rows = np.array([place.get(d, -1) for d in samples[modality].to_pylist()], np.int64)
        found = rows >= 0
        values[name] = np.zeros((len(rows), *features.values.shape[1:]), np.float32)
        values[name][found] = features.values[rows[found]]
        lengths[name] = np.zeros(len(rows), np.int32)
        lengths[name][found] = features.lengths[rows[found]]
        present[name] = found
    prefix = "target."
    return Joined(
        sample_ids=samples["sample_id"].to_pylist(),
        source=_strings(samples, "source"),
        batch=_strings(samples, "batch"),
        group=_strings(samples, "group"),
        component=_strings(samples, "component"),
        split=_strings(samples, "split"),
        targets={
            column.removeprefix(prefix): samples[column].to_numpy()
            for column in samples.column_names
            if column.startswith(prefix)
        },
        attributes=[dict(pairs or ()) for pairs in samples["attributes"].to_pylist()],
        values=values,
        lengths=lengths,
        present=present,
    )


def _strings(samples, column: str) -> np.ndarray:  # type: ignore[no-untyped-def]
    return np.array(samples[column].to_pylist(), dtype=str)
