"""A model's answers out of fold, the one that is chosen anew in each fold, and seeds as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

# What is no model of params.yaml has a colon in its name, which no model there can have.
CHOSEN = "chosen:fusion"
SEED_ENSEMBLE = "chosen:together"
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
    def full_subset(self) -> str:
        return "+".join(self.modalities)

    @property
    def answers(self) -> Sequence[np.ndarray]:
        """By seed, what it says with everything shown, int (n,)."""
        return self.predictions[self.full_subset]


def choose_by_inner_score(
    candidates: Sequence[Candidate], fold: np.ndarray
) -> tuple[Candidate, dict[int, str]]:
    """What comes of choosing the fusion in each fold by its inner score, and what was chosen.

    The choice sees nothing of the fold that it is judged on, so the score is that of the whole
    procedure, choice included. fold: int (n,).
    """
    fusions = [candidate for candidate in candidates if candidate.kind == "fusion"]
    picked = {
        number: max(fusions, key=lambda candidate: (candidate.inner[number], candidate.name))
        for number in np.unique(fold).tolist()
    }

    def assembled(parts: Mapping[int, Sequence[np.ndarray]]) -> list[np.ndarray]:
        """By seed, the rows of each fold from its part."""
        assembled_seeds = [np.empty_like(values) for values in next(iter(parts.values()))]
        for number, part in parts.items():
            for target, values in zip(assembled_seeds, part, strict=True):
                target[fold == number] = values[fold == number]
        return assembled_seeds

    return (
        Candidate(
            name=CHOSEN,
            kind=CHOICE,
            modalities=fusions[0].modalities,
            probabilities=assembled(
                {k: candidate.probabilities for k, candidate in picked.items()}
            ),
            predictions={
                subset: assembled(
                    {k: candidate.predictions[subset] for k, candidate in picked.items()}
                )
                for subset in fusions[0].predictions
            },
            inner={number: candidate.inner[number] for number, candidate in picked.items()},
            diverged={
                number: candidate.diverged.get(number, 0) for number, candidate in picked.items()
            },
        ),
        {number: candidate.name for number, candidate in picked.items()},
    )


def seed_ensemble(candidate: Candidate) -> Candidate:
    """A model's seeds used as one, which answers once: the likeliest class by their mean."""
    mean = np.mean(candidate.probabilities, 0)
    return replace(
        candidate,
        name=SEED_ENSEMBLE,
        probabilities=[mean],
        predictions={candidate.full_subset: [mean.argmax(1)]},
    )
