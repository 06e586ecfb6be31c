"""A weighted sum of tokens, each of which says how much it counts.

h = Σ softmax(gᵢ·xᵢ + bᵢ) xᵢ over the present sets: the gated multimodal unit of Arevalo et al.
2017 (arXiv:1702.01992), cut down for few examples. A softmax stands in place of sigmoids, so that
weights add up to one for any subset; a gate sees its own token, and the tokens are summed as they
are. Gates that see all tokens, a gate for each number, and projected tokens overfitted where
subjects were few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pipeline.options

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor


class Options(pipeline.options.Options):
    """There is nothing to choose."""


class Fusion:
    def __init__(self, sets: int, width: int, options: Options) -> None:
        from torch import nn

        self.width = width
        self.layers = nn.ModuleList(nn.Linear(width, 1) for _ in range(sets))

    def fuse(
        self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
    ) -> Float[Tensor, "n width"]:
        shown = tokens.where(present[..., None], 0.0)
        return (self.shares(shown, present)[..., None] * shown).sum(1)

    def shares(
        self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
    ) -> Float[Tensor, "n sets"]:
        """Weights that sum to 1 over the present sets, to 0 if there are none."""
        import torch

        from pipeline.models.pooling import softmax

        scores = torch.cat([gate(tokens[:, i]) for i, gate in enumerate(self.layers)], 1)
        return softmax(scores, present)
