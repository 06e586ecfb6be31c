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


def baseline_candidates(
    data: Examples, task: str, classes: int, folds: Mapping[int, Fold],
    options: BaselineOptions, seed: int,
) -> list[Candidate]:  # fmt: skip
    """`logistic:<name>` of each named feature set, of all joined and of their mean; then chance."""
    targets = data.targets[task]
    modality = {spec.name: spec.modality for spec in data.sets}
    named = {f"logistic:{name}": used for name, used in options.features.items()}
    values = {name: first_view(data, used) for name, used in named.items()}
    all_modalities = tuple(sorted({modality[used] for used in options.features.values()}))
    modalities_of: dict[str, tuple[str, ...]] = {
        name: (modality[used],) for name, used in named.items()
    }
    modalities_of |= {JOINED: all_modalities, MEAN: all_modalities}
    return [
        *(
            Candidate(
                name,
                "baseline",
                modalities_of[name],
                [probabilities],
                {"+".join(modalities_of[name]): [probabilities.argmax(1)]},
                {},
            )
            for name, probabilities in logistic(values, targets, folds, classes, options.C).items()
        ),
        *(
            Candidate(name, "chance", (), (), {"": [predictions]}, {})
            for name, predictions in chance(
                targets, folds, classes, generator(seed, "chance")
            ).items()
        ),
    ]


def first_view(data: Examples, name: str) -> np.ndarray:
    """A feature set at view 0, float32 (n, d), zeros where absent."""
    column = [spec.name for spec in data.sets].index(name)
    values = data.values[name][0].reshape(len(data), -1)
    masked: np.ndarray = values * data.present[:, [column]]
    return masked
