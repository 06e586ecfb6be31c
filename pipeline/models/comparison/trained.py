"""A model as a candidate: what its trainings answered out of fold, as they stand on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.core.folders import CROSSVALIDATION
from pipeline.models.comparison.candidate import Candidate

if TYPE_CHECKING:
    from pipeline.models.comparison.options import Options
    from pipeline.models.examples import Examples


def trained(
    name: str,
    root: Path,
    whole: Examples,
    options: Options,
    modalities: Mapping[str, str],
    classes: Sequence[str],
) -> Candidate:
    """What a model answered, put in the order of all samples and of the named classes.

    Parameters
    ----------
    root:
        The data directory, where `crossvalidation/<name>` holds a row a training.
    whole:
        All samples of known truth.
    modalities:
        Feature set → modality, of all sets that any model reads.

    Raises
    ------
    PipelineError
        The answers are of other samples, folds, seeds or classes.
    """
    from pipeline.models.comparison.crossvalidation import subsets
    from pipeline.models.metrics import scores
    from pipeline.parts import manifest

    used = tuple(sorted({modalities[one] for one in options.models[name].features}))
    every = len({*modalities.values()})
    truth = whole.targets[options.task]
    place = {sample: i for i, sample in enumerate(whole.sample_ids.tolist())}
    shown = ["+".join(subset) for subset in subsets(used)]
    probabilities = np.full(
        (len(shown), options.seeds, len(whole), len(classes)), np.nan, np.float32
    )
    said = np.zeros(probabilities.shape[:3], np.int64)
    inner: dict[int, list[np.ndarray]] = {}
    parameters, diverged = 0, Counter[int]()
    for row in manifest.read(root / CROSSVALIDATION / name).to_pylist():
        samples, held = (
            [place.get(sample, -1) for sample in row[column]]
            for column in ("sample_id", "inner_sample_id")
        )
        if row["shown"] != shown or row["seed"] >= options.seeds or -1 in samples + held:
            continue
        order = _order(name, row["classes"], classes)
        own = np.reshape(row["probabilities"], (len(shown), len(samples), len(classes)))
        probabilities[:, row["seed"], samples] = own[..., np.argsort(order)]
        said[:, row["seed"], samples] = order[np.reshape(row["predictions"], (len(shown), -1))]
        inner.setdefault(row["fold"], []).append(
            np.stack([truth[held], order[row["inner_predictions"]]])
        )
        parameters = row["parameters"]
        diverged[row["fold"]] += row["diverged"]
    if np.isnan(probabilities).any():
        raise PipelineError(
            f"data/crossvalidation/{name} is of other samples, folds or seeds: run "
            f"`dvc repro comparison/dvc.yaml` for it again"
        )
    return Candidate(
        name=name,
        kind="single" if len(used) == 1 else "fusion" if len(used) == every else "partial",
        modalities=used,
        probabilities=list(probabilities[-1]),
        predictions={subset: list(each) for subset, each in zip(shown, said, strict=True)},
        inner={
            fold: scores(*np.concatenate(each, 1))["macro_f1"]
            for fold, each in sorted(inner.items())
        },
        parameters=parameters,
        diverged=diverged,
    )


def _order(name: str, own: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Where each of a model's classes stands among the named ones, int (classes,)."""
    if {*own} != {*classes}:
        raise PipelineError(
            f"comparison.models.{name} tells the classes {', '.join(own)}, and others tell "
            f"{', '.join(classes)}: name the same ones in the task's `order`, or none"
        )
    return np.array([classes.index(one) for one in own])
