"""Every pair of sets multiplied at low rank, and each set by itself.

h = Σᵢ (Vᵢ·xᵢ + cᵢ) + Σᵢ<ⱼ Pᵢⱼ·(tanh(Uᵢ·xᵢ + bᵢ) ∘ tanh(Uⱼ·xⱼ + bⱼ)): multimodal low-rank bilinear
pooling with shortcuts (Kim et al. 2017, MLB, arXiv:1610.04325), for any number of sets. Pairs
share the projection Uᵢ of a set, which the paper, of one pair, need not say. A pair with an absent
side counts nothing; the shortcuts are why one set alone still speaks.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from pydantic import Field

import pipeline.core.options

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor, nn

LEVEL = "tokens"


class Options(pipeline.core.options.Options):
    hidden: int = Field(128, ge=1, le=4096, description="dimensions that go on to the heads")
    rank: int = Field(32, ge=1, le=1024, description="dimensions in which two sets are multiplied")


def check(sets: int, width: int, options: Options) -> None:
    if sets < 2:
        raise ValueError("fusion 'bilinear' takes two feature sets or more: name fusion 'none'")


def build(sets: int, width: int, options: Options) -> nn.Module:
    import torch
    from torch import nn

    class Fusion(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.width = options.hidden
            self.pairs = list(combinations(range(sets), 2))
            self.factors = nn.ModuleList(nn.Linear(width, options.rank) for _ in range(sets))
            self.shortcuts = nn.ModuleList(nn.Linear(width, options.hidden) for _ in range(sets))
            self.pool = nn.Linear(len(self.pairs) * options.rank, options.hidden, bias=False)

        def forward(
            self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
        ) -> Float[Tensor, "n hidden={self.width}"]:
            """0 if nothing is there."""

            def each(layers: list[Tensor]) -> Tensor:
                return torch.stack(layers, 1).where(present[..., None], 0.0)

            alone = each([layer(tokens[:, i]) for i, layer in enumerate(self.shortcuts)]).sum(1)
            factors = each([layer(tokens[:, i]).tanh() for i, layer in enumerate(self.factors)])
            products = [factors[:, i] * factors[:, j] for i, j in self.pairs]
            pooled: Tensor = self.pool(torch.cat(products, 1))
            return alone + pooled

    return Fusion()
