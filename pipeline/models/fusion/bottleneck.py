"""Sets exchange what they know through a few shared tokens alone.

Attention bottlenecks (MBT, Nagrani et al. 2021, arXiv:2107.00135): in each layer every set has an
encoder of its own over its token and the shared ones; the shared tokens that come out are averaged
over the present sets. h is the mean of the present sets' tokens after the last layer, so that the
linear heads average the sets' logits, as the paper does. The first layer writes and the second
reads, hence two layers at least.

What differs: the paper's sets are sequences with a class token each, here a set is its one token.
In the paper's lower layers each set is by itself; here it is so in its tower.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

import pipeline.core.options
from pipeline.models.encoder_layer import Dropout, Expansion, Heads, check_heads, encoder_layer

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor, nn

LEVEL = "tokens"


class Options(pipeline.core.options.Options):
    shared: int = Field(4, ge=1, le=64, description="tokens through which the sets exchange")
    layers: int = Field(2, ge=2, le=12, description="rounds of exchange; one alone would be none")
    heads: Heads = 4
    expansion: Expansion = 2
    dropout: Dropout = 0.1


def check(sets: int, width: int, options: Options) -> None:
    check_heads(width, options.heads)


def build(sets: int, width: int, options: Options) -> nn.Module:
    import torch
    from torch import nn

    class Fusion(nn.Module):
        def __init__(self) -> None:
            super().__init__()

            def encoder() -> nn.Module:
                return encoder_layer(width, options.heads, options.expansion, options.dropout)

            self.width = width
            self.shared = nn.ParameterList([torch.randn(1, options.shared, width) * 0.02])
            self.rounds: Any = nn.ModuleList(
                nn.ModuleList(encoder() for _ in range(sets)) for _ in range(options.layers)
            )
            self.norm = nn.LayerNorm(width)

        def forward(
            self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
        ) -> Float[Tensor, "n width"]:
            """0 if nothing is there."""
            from pipeline.models.pooling import equal

            shares = equal(present)
            tokens = tokens.where(present[..., None], 0.0)
            shared = self.shared[0].expand(tokens.shape[0], -1, -1)
            for encoders in self.rounds:
                seen = torch.stack(
                    [
                        encoder(torch.cat([tokens[:, i : i + 1], shared], 1))
                        for i, encoder in enumerate(encoders)
                    ],
                    1,
                )
                tokens = seen[:, :, 0]
                shared = (shares[..., None, None] * seen[:, :, 1:]).sum(1)
            fused: Tensor = (shares[..., None] * self.norm(tokens)).sum(1)
            return fused

    return Fusion()
