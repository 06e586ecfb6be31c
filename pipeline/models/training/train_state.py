"""How far a training has come, and all that it needs to go on from there to the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch


@dataclass
class History:
    """What the epochs brought so far.

    `best_weights` are those of the best epoch by name; `diverged` is the epoch of which a figure
    was no number.
    """

    curves: list[dict[str, float]] = field(default_factory=list)
    best: float = float("-inf")
    best_epoch: int = 0
    best_weights: dict[str, torch.Tensor] = field(default_factory=dict)
    diverged: int | None = None


@dataclass(frozen=True)
class TrainState:
    """Everything that changes while a training runs.

    Parameters
    ----------
    parts:
        Networks, optimizer, schedule: what has a `state_dict`, by name.
    history, rng:
        Its figures, and the generator of its batches.
    """

    parts: Mapping[str, Any]
    history: History
    rng: np.random.Generator
    device: torch.device

    def dump(self) -> dict[str, Any]:
        """Tensors and plain values that `restore` takes."""
        return {
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
            "course": dict(vars(self.history)),
            "batches": json.dumps(self.rng.bit_generator.state),
            "random": torch.get_rng_state(),
            "device_random": self._device_random(),
        }

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Be as it was when `dump` was called; None leaves everything as it is."""
        if state is None:
            return
        for name, part in self.parts.items():
            part.load_state_dict(state["parts"][name])
        for name, value in state["course"].items():
            setattr(self.history, name, value)
        self.rng.bit_generator.state = json.loads(state["batches"])
        torch.set_rng_state(state["random"])
        if state["device_random"] is not None:
            torch.cuda.set_rng_state(state["device_random"], self.device)

    def _device_random(self) -> torch.Tensor | None:
        return torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
