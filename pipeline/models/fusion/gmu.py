"""A gated multimodal unit: each dimension of each set has a gate, which sees all sets.

h = Σ zᵢ ∘ tanh(Wᵢ·xᵢ) with zᵢ = sigmoid(Uᵢ·[x₁ … xₛ]): Arevalo et al. 2017 (arXiv:1702.01992), in
their form for any number of sets, without biases as there. Gates do not sum to one.

What differs: for two sets the paper ties the gates, z and 1 - z; here they are free, whatever the
number. The paper's sets are all there; here an absent one is zeros in what the gates see, and adds
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

import pipeline.core.options
from pipeline.models.fusion._plain import any_sets

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor, nn

LEVEL = "tokens"
check = any_sets


class Options(pipeline.core.options.Options):
    hidden: int = Field(128, ge=1, le=4096, description="dimensions that go on to the heads")


def build(sets: int, width: int, options: Options) -> nn.Module:
    import torch
    from torch import nn

    class Fusion(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.width = options.hidden
            self.own = nn.ModuleList(
                nn.Linear(width, options.hidden, bias=False) for _ in range(sets)
            )
            self.gate = nn.Linear(sets * width, sets * options.hidden, bias=False)

        def forward(
            self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
        ) -> Float[Tensor, "n hidden={self.width}"]:
            """0 if nothing is there."""
            projected = torch.stack(
                [layer(tokens[:, i]).tanh() for i, layer in enumerate(self.own)], 1
            )
            return (self.gates(tokens, present) * projected.where(present[..., None], 0.0)).sum(1)

        def set_weights(
            self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
        ) -> Float[Tensor, "n sets"]:
            """Mean gates, scaled to sum to 1 over the present sets, to 0 if there are none."""
            means = self.gates(tokens, present).mean(2) * present
            return means / means.sum(1, keepdim=True).clamp(min=1e-30)

        def gates(
            self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
        ) -> Float[Tensor, "n sets hidden={self.width}"]:
            """Between 0 and 1, those of absent sets too."""
            filled = tokens.where(present[..., None], 0.0)
            gates: Tensor = self.gate(filled.flatten(1)).sigmoid().view(*present.shape, self.width)
            return gates

    return Fusion()
