"""A weighted sum whose weights the row itself chooses, number by number.

The gated multimodal unit of Arevalo et al. 2017 (arXiv:1702.01992), with a softmax over the
present sets in place of independent sigmoids, so that weights add up to one for any subset:
h = Σ softmax(G·[x₁ … xₖ])ᵢ * tanh(Wᵢ·xᵢ).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

import pipeline.options

if TYPE_CHECKING:
    from torch import Tensor


class Options(pipeline.options.Options):
    hidden: int = Field(128, ge=1, le=4096, description="numbers of the weighted sum")


class Fusion:
    def __init__(self, sets: int, width: int, options: Options) -> None:
        from torch import nn

        self.width = options.hidden
        self.gate = nn.Linear(sets * width, sets * options.hidden)
        self.parts = nn.ModuleList(nn.Linear(width, options.hidden) for _ in range(sets))
        self.layers = nn.ModuleList([self.gate, self.parts])

    def fuse(self, tokens: Tensor, present: Tensor) -> Tensor:
        import torch

        tokens = tokens * present[..., None]
        parts = [part(tokens[:, i]).tanh() for i, part in enumerate(self.parts)]
        return (self.gates(tokens, present) * torch.stack(parts, 1)).sum(1)

    def gates(self, tokens: Tensor, present: Tensor) -> Tensor:
        """Weights (n, sets, hidden): over the present sets they sum to 1, to 0 if none is."""
        shown = present[..., None]
        scores: Tensor = self.gate(tokens.flatten(1)).view(len(tokens), -1, self.width)
        # A finite floor, since a softmax over nothing but -inf is not a number.
        return scores.masked_fill(~shown, -1e9).softmax(1) * shown
