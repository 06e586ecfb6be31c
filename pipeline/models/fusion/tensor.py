"""Every interaction of the sets, in full: the outer product of small projections.

h = GELU(W·([z₁; 1] ⊗ … ⊗ [zₛ; 1]) + b) with zᵢ = Vᵢ·xᵢ + cᵢ: the tensor fusion network of Zadeh
et al. 2017 (arXiv:1707.07250), whose layers above the product are one layer here. An absent set
contributes its 1 alone, so what remains is the product of the others. `product` does the same at
low rank, where sets are many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

import pipeline.core.options

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor, nn

# Numbers of the outer product of an example, at most: the layer above has `hidden` times as many.
LARGEST = 65_536
LEVEL = "tokens"


class Options(pipeline.core.options.Options):
    hidden: int = Field(128, ge=1, le=4096, description="units of the layer above the product")
    part: int = Field(8, ge=1, le=255, description="dimensions of a set that enter the product")
    dropout: float = Field(0.2, ge=0, lt=1, description="share of the product dropped in training")


def check(sets: int, width: int, options: Options) -> None:
    numbers = (options.part + 1) ** sets
    if numbers > LARGEST:
        raise ValueError(
            f"fusion_options.part: ({options.part} + 1)^{sets} = {numbers} numbers in the outer "
            f"product, more than {LARGEST}: take fewer, or fusion 'product'"
        )


def build(sets: int, width: int, options: Options) -> nn.Module:
    import torch
    from torch import nn

    class Fusion(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.width = options.hidden
            self.parts = nn.ModuleList(nn.Linear(width, options.part) for _ in range(sets))
            self.mix = nn.Sequential(
                nn.Dropout(options.dropout),
                nn.Linear((options.part + 1) ** sets, options.hidden),
                nn.GELU(),
            )

        def forward(
            self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
        ) -> Float[Tensor, "n hidden={self.width}"]:
            ones = torch.ones_like(tokens[:, 0, :1])
            outer = ones
            for i, layer in enumerate(self.parts):
                part = layer(tokens[:, i]).where(present[:, i : i + 1], 0.0)
                outer = (outer[:, :, None] * torch.cat([part, ones], 1)[:, None, :]).flatten(1)
            mixed: Tensor = self.mix(outer)
            return mixed

    return Fusion()
