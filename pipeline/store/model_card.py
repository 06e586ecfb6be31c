"""What a trained model says of itself in model.json, as far as others than the model read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

CARD = "model.json"


@dataclass(frozen=True)
class Counts:
    """Samples of one split that the model has a feature of, and those that it has none of."""

    seen: int
    unseen: int


@dataclass(frozen=True)
class Features:
    """A feature set that the model reads."""

    modality: str


@dataclass(frozen=True)
class Card:
    """`features` by set, `samples` by split; `inputs` maps what it was trained on to digests.

    `untrained` says why a model has no weights: there was nothing that it could learn.
    """

    features: dict[str, Features]
    samples: dict[str, Counts] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    untrained: str = ""
    primary_task: str = ""
    tasks: dict[str, Any] = field(default_factory=dict)
