"""A world with a target of every kind, each of which follows from what the sets show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.models.examples import build_examples, classes_of
from pipeline.models.options import ModelOptions
from pipeline.models.training.loop import Trained, train
from tests.models.synthetic import joined, options

SETS = {"pixels": "image", "spectrum": "audio"}
TASKS: dict[str, dict[str, Any]] = {
    "sort": {"kind": "multiclass"},
    "alive": {"kind": "binary", "order": ["no", "yes"]},
    "traits": {"kind": "multilabel"},
    "size": {"kind": "ordinal", "order": ["small", "medium", "large", "huge"]},
    "weight": {"kind": "regression"},
}
SIZES = TASKS["size"]["order"]


def world(subjects: int = 150, missing: float = 0.2):
    """3 samples a subject; pixels show z and what it is alive by, the spectrum the rest."""
    rng = np.random.default_rng(1)
    base = joined(subjects=subjects, absent=0.0)
    n = len(base.sample_ids)
    z, a, b, c = rng.normal(size=(4, n))
    noise = rng.normal(size=(5, n))
    targets = {
        "sort": np.array([f"k{int(i)}" for i in (b > 0) * 2 + (c > 0)], object),
        "alive": np.where(a + 0.2 * noise[0] > 0.8, "yes", "no").astype(object),
        "traits": np.array(
            ["|".join(t for t, on in (("red", p), ("round", q), ("rare", r)) if on) or "|"
             for p, q, r in zip(b > 0, c > 0.3, a > 1.2, strict=True)], object),
        "size": np.array(SIZES, object)[np.digitize(z + 0.2 * noise[1], [-0.8, 0.2, 1.0])],
        "weight": 300 + 50 * (z + 0.2 * noise[2]),
    }  # fmt: skip
    for i, (name, values) in enumerate(targets.items()):
        gone = np.random.default_rng(i).random(n) < missing
        values[gone] = np.nan if name == "weight" else None
    shown = {"pixels": np.stack([z, a, *noise[3:]], 1), "spectrum": np.stack([b, c], 1)}
    return replace(
        base,
        targets=targets,
        values={name: array.astype(np.float32) for name, array in shown.items()},
        lengths={name: np.ones(n, np.int32) for name in shown},
        present={name: np.ones(n, bool) for name in shown},
    )


def chosen(tasks: dict[str, dict[str, Any]] | None = None, **changed: Any) -> ModelOptions:
    tasks = tasks or TASKS
    primary = next(iter(tasks))
    given = {"features": list(SETS), "tasks": tasks, "primary": primary, "epochs": 25, **changed}
    return options(**given)


def parts(some, selected: ModelOptions):
    """Examples of each split, and the classes."""
    classes = classes_of(some, selected.tasks)
    whole = build_examples([some], SETS, classes, selected.tasks)
    splits = ("train", "validation", "test")
    return {name: whole.take(some.split == name) for name in splits}, classes


def fit(some, selected: ModelOptions) -> tuple[Trained, dict, dict]:
    import torch

    result, classes = parts(some, selected)
    cpu = torch.device("cpu")
    trained = train(result["train"], result["validation"], classes, selected, 7, cpu)
    return trained, result, classes
