"""People who are points in space, and samples that scatter around them."""

from __future__ import annotations

import numpy as np

from pipeline.models.verification.options import VerificationOptions
from pipeline.store.join import Joined

SETS = {"voice": "audio", "face": "image"}
DIMENSIONS = 8


def options(**changed: object) -> VerificationOptions:
    given = {
        "systems": {
            "voice": {"features": ["voice"], "method": "plda"},
            "face": {"features": ["face"], "method": "cosine", "copied": 0.9},
        },
        "fusions": {"both": ["voice", "face"]},
        "content": "said",
        "folds": 3,
        "seeds": 1,
        "resamples": 100,
        "prior": 0.5,
        "clips": 10,
    }
    return VerificationOptions.model_validate({**given, **changed})


def joined(people: int = 12, clips: int = 8, noise: float = 0.4, absent: float = 0.0) -> Joined:
    """As many samples of each person, who says another word in each; the first two share a
    component."""
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(people), clips)
    n = len(person)
    values, present = {}, {}
    for name in SETS:
        centres = rng.normal(size=(people, DIMENSIONS))
        drawn = centres[person] + noise * rng.normal(size=(n, DIMENSIONS))
        present[name] = rng.random(n) >= absent
        values[name] = (drawn * present[name][:, None]).astype(np.float32)
    return Joined(
        sample_ids=[f"p{p:02}/{i % clips}" for i, p in enumerate(person)],
        source=np.full(n, "known"),
        batch=np.full(n, "one"),
        group=np.array([f"p{p:02}" for p in person]),
        component=np.array([f"c{max(p, 1):02}" for p in person]),
        split=np.full(n, "train"),
        targets={"age": np.where(person % 2, 30.0, np.nan)},
        attributes=[
            {"said": f"word {i % clips}", "name": f"Name {p}"} for i, p in enumerate(person)
        ],
        values=values,
        lengths={name: has.astype(np.int32) for name, has in present.items()},
        present=present,
    )
