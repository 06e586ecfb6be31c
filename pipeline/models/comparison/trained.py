"""A model as a candidate: what its trainings answered out of fold, as they stand on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.models.comparison.candidate import Candidate

if TYPE_CHECKING:
    from pipeline.models.comparison.options import ComparisonOptions
    from pipeline.models.examples import Examples


def trained_candidate(
    name: str,
    root: Path,
    data: Examples,
    options: ComparisonOptions,
    modalities: Mapping[str, str],
    classes: Sequence[str],
) -> Candidate:
    """What a model answered, put in the order of all samples and of the named classes.

    Parameters
    ----------
    root:
        The data directory, where `crossvalidation/<name>` holds a row a training.
    data:
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

    used = tuple(sorted({modalities[feature_set] for feature_set in options.models[name].features}))
    modality_count = len({*modalities.values()})
    truth = data.targets[options.task]
    place = {sample: i for i, sample in enumerate(data.sample_ids.tolist())}
    subset_names = ["+".join(subset) for subset in subsets(used)]
    probabilities = np.full(
        (len(subset_names), options.seeds, len(data), len(classes)), np.nan, np.float32
    )
    predicted = np.zeros(probabilities.shape[:3], np.int64)
    inner: dict[int, list[np.ndarray]] = {}
    parameters, diverged = 0, Counter[int]()
    for row in manifest.read(root / "crossvalidation" / name).to_pylist():
        samples, inner_samples = (
            [place.get(sample, -1) for sample in row[column]]
            for column in ("sample_id", "inner_sample_id")
        )
        if (
            row["shown"] != subset_names
            or row["seed"] >= options.seeds
            or -1 in samples + inner_samples
        ):
            continue
        order = _order(name, row["classes"], classes)
        row_probabilities = np.reshape(
            row["probabilities"], (len(subset_names), len(samples), len(classes))
        )
        probabilities[:, row["seed"], samples] = row_probabilities[..., np.argsort(order)]
        predicted[:, row["seed"], samples] = order[
            np.reshape(row["predictions"], (len(subset_names), -1))
        ]
        inner.setdefault(row["fold"], []).append(
            np.stack([truth[inner_samples], order[row["inner_predictions"]]])
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
        kind="single" if len(used) == 1 else "fusion" if len(used) == modality_count else "partial",
        modalities=used,
        probabilities=list(probabilities[-1]),
        predictions={
            subset: list(each) for subset, each in zip(subset_names, predicted, strict=True)
        },
        inner={
            fold: scores(*np.concatenate(each, 1))["macro_f1"]
            for fold, each in sorted(inner.items())
        },
        parameters=parameters,
        diverged=diverged,
    )


def _order(name: str, model_classes: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Where each of a model's classes stands among the named ones, int (classes,)."""
    if {*model_classes} != {*classes}:
        raise PipelineError(
            f"comparison.models.{name} tells the classes {', '.join(model_classes)}, and others "
            f"tell {', '.join(classes)}: name the same ones in the task's `order`, or none"
        )
    return np.array([classes.index(name_of_class) for name_of_class in model_classes])
