"""A model's answers out of fold, the one that is chosen anew in each fold, and seeds as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

# What is no model of params.yaml has a colon in its name, which no model there can have.
CHOSEN = "chosen:fusion"
TOGETHER = "chosen:together"
# Their kind.
CHOICE = "chosen"


@dataclass(frozen=True)
class Candidate:
    """A model's answers out of fold to n samples, all of known truth.

    Attributes
    ----------
    kind:
        `single` (one modality), `partial` (some), `fusion` (all), `chosen` among fusions,
        `baseline` or `chance`.
    probabilities:
        By seed, float32 (n, classes), with everything shown. Chance has none.
    predictions:
        Shown modalities, joined by `+` → by seed, int (n,).
    inner:
        Fold → macro-F1 of what was held out within its training folds, the rows of all seeds
        scored once. References have none.
    diverged:
        Fold → how many of its trainings were stopped for it.
    """

    name: str
    kind: str
    modalities: tuple[str, ...]
    probabilities: Sequence[np.ndarray]
    predictions: Mapping[str, Sequence[np.ndarray]]
    inner: Mapping[int, float]
    parameters: int | None = None
    diverged: Mapping[int, int] = field(default_factory=dict)

    @property
    def whole(self) -> str:
        return "+".join(self.modalities)

    @property
    def answers(self) -> Sequence[np.ndarray]:
        """By seed, what it says with everything shown, int (n,)."""
        return self.predictions[self.whole]


def chosen(candidates: Sequence[Candidate], fold: np.ndarray) -> tuple[Candidate, dict[int, str]]:
    """What comes of choosing the fusion in each fold by its inner score, and what was chosen.

    The choice sees nothing of the fold that it is judged on, so the score is that of the whole
    procedure, choice included. fold: int (n,).
    """
    fusions = [one for one in candidates if one.kind == "fusion"]
    picked = {
        number: max(fusions, key=lambda one: (one.inner[number], one.name))
        for number in np.unique(fold).tolist()
    }

    def assembled(parts: Mapping[int, Sequence[np.ndarray]]) -> list[np.ndarray]:
        """By seed, the rows of each fold from its part."""
        found = [np.empty_like(one) for one in next(iter(parts.values()))]
        for number, part in parts.items():
            for whole, one in zip(found, part, strict=True):
                whole[fold == number] = one[fold == number]
        return found

    return (
        Candidate(
            name=CHOSEN,
            kind=CHOICE,
            modalities=fusions[0].modalities,
            probabilities=assembled({k: one.probabilities for k, one in picked.items()}),
            predictions={
                shown: assembled({k: one.predictions[shown] for k, one in picked.items()})
                for shown in fusions[0].predictions
            },
            inner={number: one.inner[number] for number, one in picked.items()},
            diverged={number: one.diverged.get(number, 0) for number, one in picked.items()},
        ),
        {number: one.name for number, one in picked.items()},
    )


def seed_ensemble(one: Candidate) -> Candidate:
    """A model's seeds used as one, which answers once: the likeliest class by their mean."""
    mean = np.mean(one.probabilities, 0)
    return replace(
        one,
        name=TOGETHER,
        probabilities=[mean],
        predictions={one.whole: [mean.argmax(1)]},
    )
