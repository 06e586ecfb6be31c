"""Which samples are judged when: no component straddles folds, every class is spread over them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.core.randomness import entropy
from pipeline.models.comparison.options import FoldOptions


@dataclass(frozen=True)
class Fold:
    """One training: rows to learn from, to scale and choose by, and to be judged on."""

    seed: int
    number: int
    training: np.ndarray
    inner: np.ndarray
    outer: np.ndarray


def make_folds(
    targets: np.ndarray, component: np.ndarray, options: FoldOptions, seed: int
) -> Iterator[Fold]:
    """Every training of a model, seed by seed and fold by fold.

    The outer folds are the same for all seeds and all models, so that models are judged on the
    same samples having learnt from the same; what is held out within them differs by seed, so that
    the mean over seeds depends less on that choice.

    Parameters
    ----------
    targets:
        int64 (n,): class index, -1 for samples that are left out.
    component:
        (n,): what must not straddle folds.

    Raises
    ------
    PipelineError
        There are fewer components with a target than folds.
    """
    labelled = np.flatnonzero(targets >= 0)
    outer = _assign_folds(
        targets[labelled], component[labelled], options.folds, entropy(seed, "outer")
    )
    for number in range(options.seeds):
        for fold in range(options.folds):
            rest = labelled[outer != fold]
            inner_fold = _assign_folds(
                targets[rest], component[rest], options.inner, entropy(seed, "inner", number, fold)
            )
            yield Fold(
                number, fold, rest[inner_fold != 0], rest[inner_fold == 0], labelled[outer == fold]
            )


def missing_classes(
    targets: np.ndarray, folds: Mapping[int, Fold], classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Classes that occur, but not where a fold learns, or not where it is judged."""
    return [
        {"fold": number, "class": classes[label], "lacking": part}
        for number, fold in folds.items()
        for part, rows in {
            "learnt": np.concatenate([fold.training, fold.inner]),
            "judged": fold.outer,
        }.items()
        for label in np.setdiff1d(targets[targets >= 0], targets[rows]).tolist()
    ]


def _assign_folds(targets: np.ndarray, component: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Fold of each row, (n,), by scikit-learn's StratifiedGroupKFold.

    It deals out whole components so that each fold has each class in about its share; of a class
    with fewer components than folds, some fold has none.
    """
    import warnings

    from sklearn.model_selection import StratifiedGroupKFold

    components = len(np.unique(component))
    if components < count:
        raise PipelineError(
            f"{components} components cannot be dealt out to {count} folds: gather more data, or "
            f"lower comparison.folds or comparison.inner"
        )
    fold_of_row = np.empty(len(targets), np.int64)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed % 2**32)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        for fold, (_, rows) in enumerate(splitter.split(targets, targets, component)):
            fold_of_row[rows] = fold
    return fold_of_row
