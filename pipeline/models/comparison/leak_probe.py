"""Do folds leak? Shuffled labels tell: on them nobody can be better than chance.

That no component stands on both sides of a fold is counted, and cannot be doubted. Shuffled labels
ask the same of the whole way from features to answers: each component gets the label of another.
What is like a sample in another fold then says nothing of its label any more, so a nearest
neighbour, who remembers all that it saw, is right no more often than against labels shuffled anew.
What belongs together and was never joined shares no shuffled label either: that is curation's to
find; and what tells the target by itself is looked for in `shortcuts`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.models.comparison.folds import Fold

# The share of runs without a leak that are found suspicious.
FALSE_ALARMS = 0.001


def shuffle_labels(
    targets: np.ndarray, component: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Targets int (n,) with the labels dealt out anew among the components; -1 stays.

    A component gives away the label of its first sample that has one.
    """
    labelled = np.flatnonzero(targets >= 0)
    _, first, place = np.unique(component[labelled], return_index=True, return_inverse=True)
    shuffled_targets = targets.copy()
    shuffled_targets[labelled] = rng.permutation(targets[labelled][first])[place]
    return shuffled_targets


def check_apart(component: np.ndarray, folds: Mapping[int, Fold]) -> None:
    """PipelineError if a component, (n,) of any type, stands on both sides of a fold."""
    for number, fold in folds.items():
        trained_on = component[np.concatenate([fold.training, fold.inner])]
        both = np.intersect1d(trained_on, component[fold.outer])
        if len(both):
            raise PipelineError(
                f"the folds leak: {len(both)} component(s) stand on both sides of fold {number}, "
                f"such as {both[0]}. Report it, it is a mistake of the program"
            )


def probe_leaks(
    inputs: np.ndarray,
    targets: np.ndarray,
    component: np.ndarray,
    folds: Mapping[int, Fold],
    shuffles: int,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Macro-F1 of a nearest neighbour on shuffled labels, and how likely chance is to give it.

    `p` is the share of shuffles, the probe's own among them, on which the same answers score as
    well (a permutation test: Phipson & Smyth 2010, doi:10.2202/1544-6115.1585); `plausible` the
    score that all but FALSE_ALARMS of them stay below. A p of `false_alarms` or less is suspicious,
    as that share of runs without a leak is: FALSE_ALARMS, or what so few shuffles can tell.

    Parameters
    ----------
    inputs:
        (n, d), zeros where absent.
    shuffles:
        How many others the answers are held against: p is 1 / (shuffles + 1) at least.
    """
    from sklearn.metrics import f1_score
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import StandardScaler

    labels = shuffle_labels(targets, component, rng)
    answers = np.full(len(targets), -1)
    for fold in folds.values():
        training_rows = np.concatenate([fold.training, fold.inner])
        scale = StandardScaler().fit(inputs[training_rows])
        neighbour = KNeighborsClassifier(1, algorithm="brute").fit(
            scale.transform(inputs[training_rows]), labels[training_rows]
        )
        answers[fold.outer] = neighbour.predict(scale.transform(inputs[fold.outer]))
    judged = np.flatnonzero(answers >= 0)

    def score(truth: np.ndarray) -> float:
        return float(f1_score(truth[judged], answers[judged], average="macro", zero_division=0.0))

    observed = score(labels)
    others = np.array([score(shuffle_labels(targets, component, rng)) for _ in range(shuffles)])
    return {
        "macro_f1": observed,
        "plausible": float(np.quantile(others, 1 - FALSE_ALARMS)),
        "p": float((1 + (others >= observed).sum()) / (1 + shuffles)),
        "false_alarms": max(FALSE_ALARMS, 1 / (1 + shuffles)),
    }
