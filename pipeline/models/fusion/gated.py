"""A weighted sum of tokens, each of which says how much it counts.

h = Σ softmax(gᵢ·xᵢ + bᵢ) xᵢ over the present sets: attention pooling (Ilse et al. 2018,
arXiv:1802.04712), whose scores are one linear layer per set here, not two layers that all share.
Weights add up to one for any subset, a score sees its own token alone, and tokens are summed as
they are. In `gmu` each dimension has a gate, which sees all tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.models.fusion._plain import NoOptions, any_sets

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor, nn

LEVEL = "tokens"
Options = NoOptions
check = any_sets


def build(sets: int, width: int, options: Options) -> nn.Module:
    import torch
    from torch import nn

    class Fusion(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.width = width
            self.layers = nn.ModuleList(nn.Linear(width, 1) for _ in range(sets))

        def forward(
            self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
        ) -> Float[Tensor, "n width"]:
            filled = tokens.where(present[..., None], 0.0)
            return (self.set_weights(filled, present)[..., None] * filled).sum(1)

        def set_weights(
            self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
        ) -> Float[Tensor, "n sets"]:
            """Weights that sum to 1 over the present sets, to 0 if there are none."""
            from pipeline.models.pooling import softmax

            scores = torch.cat([gate(tokens[:, i]) for i, gate in enumerate(self.layers)], 1)
            return softmax(scores, present)

    return Fusion()
