"""How often honest and mixed-up labels would be held: `python -m benchmarks.label_nights`.

Statistics alone; nothing is trained. It prints the table of docs/monitoring.md. The test split has
60 components of four classes, of which the model knows 65 %.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pipeline.monitoring.label_agreement import (
    LabelAgreement,
    LabelledAnswers,
    check_labels,
    label_agreement,
)
from pipeline.monitoring.options import Contract, DriftOptions, Limits

CONTRACT = Contract(
    batches=20,
    schema={},
    attributes=(),
    samples=Limits(low=1, high=1000),
    presence={},
    shares={},
    ranges={},
    known=1.0,
    rejects={},
)
OPTIONS = DriftOptions(permutations=1_999)
KEY = ("s", "n")
CLASSES = np.array(["cat", "dog", "owl", "eel"])
SHARES = (0.4, 0.3, 0.2, 0.1)
# How often the model knows a component of each; it hardly ever knows an eel.
KNOWN = dict(zip(CLASSES.tolist(), (0.8, 0.7, 0.6, 0.1), strict=True))
ROWS = 4
YEARS, NIGHTS = 8, 365
MIXED = (8, 12, 20, 40)


def main() -> None:
    print("| night | held |\n|---|---|")
    held = _held((landing(i, 20), i, reference(i, 60)) for i in range(2000))
    print(f"| honest, 20 components, test components of each night's own | {held} |")
    held = _held(
        (landing(NIGHTS * year + i, 20), i, reference(year, 60))
        for year in range(YEARS)
        for i in range(NIGHTS)
    )
    print(f"| honest, {YEARS} years, each against one set of test components | {held} |")
    held = _held((landing(i, 20, ("eel",)), i, reference(i, 200)) for i in range(200))
    print(f"| honest, of the class alone that the model hardly ever knows | {held} |")
    for count in MIXED:
        held = _held((landing(i, count, mixed=True), i, reference(i, 60)) for i in range(200))
        print(f"| mixed up, {count} components | {held} |")


def reference(seed: int, components: int) -> LabelledAnswers:
    """Test components, which no night has."""
    return landing(100_000 + seed, components)


def landing(
    seed: int, components: int, classes: tuple[str, ...] = (), mixed: bool = False
) -> LabelledAnswers:
    """ROWS samples a component of one class, which the model mostly knows or mostly does not."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(classes or CLASSES, components, p=None if classes else SHARES)
    is_known = rng.random(components) < np.array([KNOWN[name] for name in truth])
    share = np.where(is_known, 0.95, 0.05)
    answered = np.where(
        rng.random((components, ROWS)) < share[:, None],
        truth[:, None],
        rng.choice(CLASSES[:3], (components, ROWS)),
    )
    label = np.repeat(rng.permutation(truth) if mixed else truth, ROWS)
    is_right = answered.ravel() == label
    sure = rng.uniform(0.4, 0.95, len(label))
    return LabelledAnswers(
        np.repeat([f"{seed}-{i}" for i in range(components)], ROWS),
        label,
        is_right,
        np.where(is_right, sure, (1 - sure) / 3),
    )


def agreement(tonight: LabelledAnswers, seed: int, test: LabelledAnswers) -> LabelAgreement | None:
    rng = np.random.default_rng(seed)
    return label_agreement(test, tonight, CONTRACT.chance, OPTIONS, rng)


def is_held(tonight: LabelledAnswers, seed: int, test: LabelledAnswers) -> bool:
    agreed = agreement(tonight, seed, test)
    return agreed is not None and check_labels(KEY, "kind", agreed, CONTRACT) is not None


def _held(nights: Iterable[tuple[LabelledAnswers, int, LabelledAnswers]]) -> str:
    held = [is_held(*night) for night in nights]
    return f"{sum(held)} of {len(held):,}"


if __name__ == "__main__":
    main()
