"""A small world of three modalities, each of which shows the same hidden thing in its own way."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.models.examples import Examples, FeatureSpec
from pipeline.models.options import ModelOptions

SETS = {"pixels": "image", "spectrum": "audio", "words": "text"}
WIDTHS = {"pixels": 12, "spectrum": 10, "words": 9}
HIDDEN = 6


def examples(
    components: int = 60, each: int = 2, seed: int = 0, absent: float = 0.0, noise: float = 0.05
) -> Examples:
    """`each` samples a component, which hide nearly the same thing."""
    rng = np.random.default_rng(seed)
    component = np.repeat(np.arange(components), each)
    n = len(component)
    hidden = rng.normal(size=(components, HIDDEN))[component] + 0.02 * rng.normal(size=(n, HIDDEN))
    shown = np.random.default_rng(7)  # all worlds show things alike
    values = {
        name: (
            hidden @ shown.normal(size=(HIDDEN, width)) + noise * rng.normal(size=(n, width))
        ).astype(np.float32)[None]
        for name, width in WIDTHS.items()
    }
    present = rng.random((n, len(SETS))) >= absent
    present[~present.any(1), 0] = True
    return Examples(
        sets=tuple(FeatureSpec(name, SETS[name], (width,)) for name, width in WIDTHS.items()),
        values=values,
        lengths={name: np.ones((1, n), np.int32) for name in SETS},
        present=present,
        targets={},
        component=np.array([f"c{i:03}" for i in component]),
        sample_ids=np.array([f"s{i:03}" for i in range(n)]),
    )


def options(**changed: Any) -> ModelOptions:
    """Small enough to train in a second."""
    given = {
        "features": list(SETS),
        "tower": {"kind": "mlp", "width": 16, "hidden": 32, "dropout": 0.0},
        "fusion": "concatenation",
        "alignment": {"dimension": 8},
        "modality_dropout": 0.0,
        "epochs": 12,
        "batch_size": 32,
        "learning_rate": 0.01,
        **changed,
    }
    return ModelOptions.model_validate(given)
