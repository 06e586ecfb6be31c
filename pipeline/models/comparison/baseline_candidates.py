"""The baseline and chance as candidates, so that they are judged as every model is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipeline.core.randomness import generator
from pipeline.models.comparison.baselines import JOINED, MEAN, chance, logistic
from pipeline.models.comparison.candidate import Candidate
from pipeline.models.comparison.folds import Fold
from pipeline.models.comparison.options import BaselineOptions

if TYPE_CHECKING:
    import numpy as np

    from pipeline.models.examples import Examples


def references(
    whole: Examples, task: str, classes: int, folds: Mapping[int, Fold],
    options: BaselineOptions, seed: int,
) -> list[Candidate]:  # fmt: skip
    """`logistic:<name>` of each named feature set, of all joined and of their mean; then chance."""
    targets = whole.targets[task]
    modality = {one.name: one.modality for one in whole.sets}
    named = {f"logistic:{name}": used for name, used in options.features.items()}
    values = {name: first_view(whole, used) for name, used in named.items()}
    every = tuple(sorted({modality[used] for used in options.features.values()}))
    seen: dict[str, tuple[str, ...]] = {name: (modality[used],) for name, used in named.items()}
    seen |= {JOINED: every, MEAN: every}
    return [
        *(
            Candidate(
                name,
                "baseline",
                seen[name],
                [found],
                {"+".join(seen[name]): [found.argmax(1)]},
                {},
            )
            for name, found in logistic(values, targets, folds, classes, options.C).items()
        ),
        *(
            Candidate(name, "chance", (), (), {"": [answers]}, {})
            for name, answers in chance(targets, folds, classes, generator(seed, "chance")).items()
        ),
    ]


def first_view(whole: Examples, name: str) -> np.ndarray:
    """A feature set at view 0, float32 (n, d), zeros where absent."""
    column = [one.name for one in whole.sets].index(name)
    values = whole.values[name][0].reshape(len(whole), -1)
    found: np.ndarray = values * whole.present[:, [column]]
    return found
