"""A model as a candidate: what its trainings answered out of fold, as they stand on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.core.folders import CROSSVALIDATION
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
        The data directory, where `crossvalidation/<name>` holds one row per training.
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
    subset_names = ["+".join(subset) for subset in subsets(used)]
    truth = data.targets[options.task]
    position = {sample: i for i, sample in enumerate(data.sample_ids.tolist())}
    shape = (len(subset_names), options.seeds, len(data), len(classes))
    answers = _Answers(np.full(shape, np.nan, np.float32), np.zeros(shape[:3], np.int64))
    for row in manifest.read(root / CROSSVALIDATION / name).to_pylist():
        samples, inner_samples = (
            [position.get(sample, -1) for sample in row[column]]
            for column in ("sample_id", "inner_sample_id")
        )
        is_known = -1 not in samples + inner_samples
        if row["shown"] == subset_names and row["seed"] < options.seeds and is_known:
            order = _class_order(name, row["classes"], classes)
            answers.add(row, samples, truth[inner_samples], order)
    if np.isnan(answers.probabilities).any():
        raise PipelineError(
            f"data/crossvalidation/{name} is of other samples, folds or seeds: run "
            f"`dvc repro comparison/dvc.yaml` for it again"
        )
    return Candidate(
        name=name,
        kind=_kind(len(used), len({*modalities.values()})),
        modalities=used,
        probabilities=list(answers.probabilities[-1]),
        predictions={
            subset: list(by_seed)
            for subset, by_seed in zip(subset_names, answers.predictions, strict=True)
        },
        inner={
            fold: scores(*np.concatenate(pairs, 1))["macro_f1"]
            for fold, pairs in sorted(answers.inner.items())
        },
        parameters=answers.parameters,
        diverged=answers.diverged,
    )


@dataclass
class _Answers:
    """What the trainings of a model answered, put together training by training.

    Attributes
    ----------
    probabilities, predictions:
        float32 (subsets, seeds, n, classes), NaN where none answered yet; int64 without classes.
    inner:
        Fold → truth and prediction of its inner rows, int (2, m) by training.
    """

    probabilities: np.ndarray
    predictions: np.ndarray
    inner: dict[int, list[np.ndarray]] = field(default_factory=dict)
    parameters: int = 0
    diverged: Counter[int] = field(default_factory=Counter)

    def add(
        self,
        row: Mapping[str, Any],
        samples: Sequence[int],
        inner_truth: np.ndarray,
        order: np.ndarray,
    ) -> None:
        """Put in a training's row, whose samples are these, and whose classes stand at `order`."""
        seed, fold, subset_count = row["seed"], row["fold"], len(row["shown"])
        shape = (subset_count, len(samples), len(order))
        probabilities = np.reshape(row["probabilities"], shape)
        self.probabilities[:, seed, samples] = probabilities[..., np.argsort(order)]
        predictions = np.reshape(row["predictions"], (subset_count, -1))
        self.predictions[:, seed, samples] = order[predictions]
        inner_pairs = np.stack([inner_truth, order[row["inner_predictions"]]])
        self.inner.setdefault(fold, []).append(inner_pairs)
        self.parameters = row["parameters"]
        self.diverged[fold] += row["diverged"]


def _kind(modalities: int, of: int) -> str:
    """What a model of so many modalities is among models of `of`; see `Candidate`."""
    if modalities == 1:
        return "single"
    return "fusion" if modalities == of else "partial"


def _class_order(name: str, model_classes: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Where each of a model's classes stands among the named ones, int (classes,)."""
    if {*model_classes} != {*classes}:
        raise PipelineError(
            f"comparison.models.{name} tells the classes {', '.join(model_classes)}, and others "
            f"tell {', '.join(classes)}: name the same ones in the task's `order`, or none"
        )
    return np.array([classes.index(label) for label in model_classes])
