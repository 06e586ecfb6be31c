"""The projected tokens multiplied, dimension by dimension.

h = ∘ᵢ tanh(Wᵢ·xᵢ + bᵢ), as image and question are joined by Antol et al. 2015 (VQA,
arXiv:1505.00468). An absent set contributes the factor 1, that is, nothing. It is `product` at
rank 1 but bounded: a factor near ±1 lets through what the others say, or turns it round.
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
    hidden: int = Field(128, ge=1, le=4096, description="dimensions of the factors and the product")


def build(sets: int, width: int, options: Options) -> nn.Module:
    import torch
    from torch import nn

    class Fusion(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.width = options.hidden
            self.layers = nn.ModuleList(nn.Linear(width, options.hidden) for _ in range(sets))

        def forward(
            self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
        ) -> Float[Tensor, "n hidden={self.width}"]:
            """Numbers in [-1, 1]."""
            factors = torch.stack([layer(tokens[:, i]) for i, layer in enumerate(self.layers)], 1)
            return factors.tanh().where(present[..., None], 1.0).prod(1)

    return Fusion()
