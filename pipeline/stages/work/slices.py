"""By what the test is cut: targets, attributes, what is present, how long a clip is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.folders import CLEAN, CURATED
from pipeline.modalities import measures, modalities
from pipeline.models.evaluation.options import DURATION, PRESENCE, SOURCE

if TYPE_CHECKING:
    from pipeline.store.join import Joined

QUANTILES = 4


def slice_values(
    joined: Joined, names: Sequence[str], sets: Mapping[str, str], root: Path
) -> dict[str, np.ndarray]:
    """By name, the value of each sample, (n,) of str, None where it has none.

    `presence` names the modalities of `sets` that a sample has, `source` whence it is, `duration`
    the quarter of all clips in whose range the sample's falls.

    Raises
    ------
    PipelineError
        A name is neither a target nor an attribute nor one of these.
    """
    values_by_name = {}
    attributes = {name for sample in joined.attributes for name in sample}
    for name in names:
        if name in joined.targets:
            values_by_name[name] = joined.targets[name]
        elif name in attributes:
            values_by_name[name] = np.array(
                [sample.get(name) for sample in joined.attributes], dtype=object
            )
        elif name == PRESENCE:
            values_by_name[name] = _presence(joined, sets)
        elif name == SOURCE:
            values_by_name[name] = joined.source.astype(object)
        elif name == DURATION:
            values_by_name[name] = _quarters(_durations(joined, root))
        else:
            choices = {*joined.targets, *attributes, PRESENCE, SOURCE, DURATION}
            raise PipelineError(
                f"evaluate.group_by: {unknown('target or attribute', name, choices)}"
            )
    return values_by_name


def extra_inputs(names: Collection[str], root: Path) -> list[str]:
    """What else these slices read, below the data root."""
    modality = _timed(root) if DURATION in names else None
    return [f"{CLEAN}/{modality}"] if modality else []


def _presence(joined: Joined, sets: Mapping[str, str]) -> np.ndarray:
    modalities = sorted(set(sets.values()))
    has = [
        np.any([joined.present[name] for name, owner in sets.items() if owner == m], axis=0)
        for m in modalities
    ]
    labels = [
        "+".join(m for m, is_present in zip(modalities, row, strict=True) if is_present) or "none"
        for row in np.stack(has, 1)
    ]
    return np.array(labels, dtype=object)


def _durations(joined: Joined, root: Path) -> np.ndarray:
    """Seconds of each sample's clip, float64 (n,), NaN where it has none."""
    from pipeline.parts.manifest import read

    modality = _timed(root)
    if modality is None:
        raise PipelineError(f"evaluate.group_by: no modality here has a '{DURATION}'")
    clips = read(root / CLEAN / modality, ["digest", DURATION]).to_pydict()
    seconds = dict(zip(clips["digest"], clips[DURATION], strict=True))
    samples = read(root / CURATED, ["sample_id", modality]).to_pydict()
    clip = dict(zip(samples["sample_id"], samples[modality], strict=True))
    return np.array([seconds.get(clip[sample], np.nan) for sample in joined.sample_ids])


def _timed(root: Path) -> str | None:
    """The modality whose contents last: of several the first by name."""
    cleaned = (name for name in modalities() if (root / "clean" / name).is_dir())
    return next((name for name in cleaned if measures(name, DURATION)), None)


def _quarters(seconds: np.ndarray) -> np.ndarray:
    """The quantile in which each falls, numbered and named by its range; None for NaN."""
    finite = ~np.isnan(seconds)
    quarters = np.full(len(seconds), None, dtype=object)
    if finite.any():
        edges = np.quantile(seconds[finite], np.linspace(0, 1, QUANTILES + 1))
        place = np.searchsorted(edges[1:-1], seconds[finite], side="left")
        quarters[finite] = [f"{i + 1}: {edges[i]:.2f} to {edges[i + 1]:.2f} s" for i in place]
    return quarters
