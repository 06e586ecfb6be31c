"""Every interaction of the sets, at low rank.

Low-rank multimodal fusion (Liu et al. 2018, arXiv:1806.00064): h = Σᵣ Πᵢ (Wᵢʳ·xᵢ + bᵢʳ), the
outer product of all tokens contracted with a weight tensor of rank r. An absent set contributes
the factor 1, that is, nothing.
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
    rank: int = Field(4, ge=1, le=64, description="rank of the weight tensor")


def build(sets: int, width: int, options: Options) -> nn.Module:
    import torch
    from torch import nn

    class Fusion(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.width = options.hidden
            self.rank = options.rank
            factors = [nn.Linear(width, options.rank * options.hidden) for _ in range(sets)]
            for factor in factors:  # near 1, so that a product of several neither dies nor grows
                nn.init.ones_(factor.bias)
            self.factors = nn.ModuleList(factors)
            self.norm = nn.LayerNorm(options.hidden)

        def forward(
            self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
        ) -> Float[Tensor, "n hidden={self.width}"]:
            factors = torch.stack([f(tokens[:, i]) for i, f in enumerate(self.factors)], 1)
            product = factors.where(present[..., None], 1.0).prod(1)
            fused: Tensor = self.norm(product.view(-1, self.rank, self.width).sum(1))
            return fused

    return Fusion()
