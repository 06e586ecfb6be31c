"""Do folds leak? Shuffled labels tell: on them nobody can be better than chance.

Each component gets the label of another. What is like a sample in another fold then says nothing of
its label any more, so a nearest neighbour, who remembers all that it saw, is right no more often
than against labels shuffled anew. It is right more often where samples of one component stand on
both sides. What belongs together and was never joined shares no shuffled label either: that is
curation's to find; and what tells the target by itself is looked for in `giveaways`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.protocol.folds import Fold

if TYPE_CHECKING:
    import numpy as np

QUANTILE = 0.999


def shuffled(targets: np.ndarray, component: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Targets int (n,) with the labels dealt out anew among the components; -1 stays.

    A component gives away the label of its first sample that has one.
    """
    import numpy as np

    known = np.flatnonzero(targets >= 0)
    _, first, place = np.unique(component[known], return_index=True, return_inverse=True)
    found = targets.copy()
    found[known] = rng.permutation(targets[known][first])[place]
    return found


def probe(
    inputs: np.ndarray,
    targets: np.ndarray,
    component: np.ndarray,
    folds: Mapping[int, Fold],
    shuffles: int,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Macro-F1 of a nearest neighbour on shuffled labels, and the most that chance explains.

    Parameters
    ----------
    inputs:
        (n, d), zeros where absent.

    Raises
    ------
    PipelineError
        It is better than the 99.9 % quantile of what the same answers score against `shuffles`
        other shuffles.
    """
    import numpy as np
    from sklearn.metrics import f1_score
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import StandardScaler

    labels = shuffled(targets, component, rng)
    answers = np.full(len(targets), -1)
    for fold in folds.values():
        learnt = np.concatenate([fold.training, fold.inner])
        scale = StandardScaler().fit(inputs[learnt])
        neighbour = KNeighborsClassifier(1, algorithm="brute").fit(
            scale.transform(inputs[learnt]), labels[learnt]
        )
        answers[fold.outer] = neighbour.predict(scale.transform(inputs[fold.outer]))
    asked = np.flatnonzero(answers >= 0)

    def score(truth: np.ndarray) -> float:
        return float(f1_score(truth[asked], answers[asked], average="macro", zero_division=0.0))

    found = score(labels)
    plausible = float(
        np.quantile([score(shuffled(targets, component, rng)) for _ in range(shuffles)], QUANTILE)
    )
    if found > plausible:
        raise PipelineError(
            f"the folds leak: on shuffled labels a nearest neighbour has a macro-F1 of "
            f"{found:.3f}, and chance explains {plausible:.3f} at most. Samples of one "
            f"component stand on both sides of a fold: report it, it is a mistake of the program"
        )
    return {"macro_f1": found, "plausible": plausible}
