"""The head of an ordinal task: one score and ordered cut points."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Cumulative(nn.Module):
    """(n, width) → (n, classes - 1): w·x + bᵣ with b₀ > b₁ > …"""

    lower: Tensor

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        steps = max(classes - 2, 0)
        self.score = nn.Linear(width, 1, bias=False)
        # softplus(0) = 0.69 between neighbours, centred
        self.first = nn.Parameter(torch.full((1,), 0.35 * steps))
        self.steps = nn.Parameter(torch.zeros(steps))
        # A matrix product in place of a cumulative sum, which CUDA adds up in no fixed order.
        self.register_buffer("lower", torch.ones(steps, steps).tril(), persistent=False)

    def forward(self, fused: Tensor) -> Tensor:
        down = self.lower @ nn.functional.softplus(self.steps)
        logits: Tensor = self.score(fused) + torch.cat([self.first, self.first - down])
        return logits
