"""A small trimodal world: each modality knows one bit of the category, speech the language."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.models.examples import Examples, build_examples, classes_of
from pipeline.models.options import ModelOptions
from pipeline.models.task_options import TaskOptions
from pipeline.store.join import Joined

SETS = {"pixels": "image", "spectrum": "audio", "words": "text"}
WIDTHS = {"pixels": 6, "spectrum": 9, "words": 5}
LANGUAGES = ("de", "el", "fr")
TASKS = {"category": {"examples": "component"}, "language": {"weight": 0.5}}
TASK_OPTIONS = {task: TaskOptions.model_validate(given) for task, given in TASKS.items()}


def joined(
    subjects: int = 120, seed: int = 0, absent: float = 0.2, noise: float = 0.3, view: int = 0
) -> Joined:
    """3 samples a subject, of 8 categories; `absent`: how often a modality is missing.

    A view changes the noise alone.
    """
    rng = np.random.default_rng(seed)
    category = np.repeat(rng.permutation(np.arange(subjects) % 8), len(LANGUAGES))
    language = np.tile(np.arange(len(LANGUAGES)), subjects)
    n = len(category)
    signal = {
        "pixels": np.eye(6)[category & 1],
        "spectrum": np.eye(9)[category >> 1 & 1] + np.eye(9)[3 + language],
        "words": np.eye(5)[category >> 2],
    }
    present = {name: rng.random(n) >= absent for name in SETS}
    present["words"] |= ~(present["pixels"] | present["spectrum"])
    grain = np.random.default_rng([seed, view])
    values = {
        name: ((signal[name] + noise * grain.normal(size=(n, d))) * present[name][:, None]).astype(
            np.float32
        )
        for name, d in WIDTHS.items()
    }
    component = np.repeat([f"c{i:03}" for i in range(subjects)], len(LANGUAGES))
    split = np.repeat(rng.choice(["train", "validation", "test"], subjects, p=[0.6, 0.2, 0.2]), 3)
    return Joined(
        sample_ids=[f"{c}-{LANGUAGES[x]}" for c, x in zip(component, language, strict=True)],
        source=np.full(n, "synthetic"),
        batch=np.full(n, "one"),
        group=component,
        component=component,
        split=split,
        targets={
            "category": np.array([f"k{i}" for i in category], dtype=object),
            "language": np.array([LANGUAGES[i] for i in language], dtype=object),
        },
        attributes=[{"voice": "low" if i % 2 else "high"} for i in range(n)],
        values=values,
        lengths={name: has.astype(np.int32) for name, has in present.items()},
        present=present,
    )


def split_of(world: Joined, name: str, sets: dict[str, str] | None = None) -> Examples:
    classes = classes_of(world, TASK_OPTIONS)
    return build_examples([world], sets or SETS, classes, TASK_OPTIONS).take(world.split == name)


def options(**changed: Any) -> ModelOptions:
    """Small enough to train in a second."""
    given = {
        "features": list(SETS),
        "fusion": "concatenation",
        "tower": {"hidden": 16, "width": 8, "dropout": 0.1},
        "tasks": TASKS,
        "primary": "category",
        "modality_dropout": 0.1,
        "epochs": 40,
        "patience": 10,
        "batch_size": 32,
        "learning_rate": 0.01,
        "label_smoothing": 0.0,
        **changed,
    }
    return ModelOptions.model_validate(given)
