"""Sets exchange what they know through a few shared tokens alone.

Attention bottlenecks (MBT, Nagrani et al. 2021, arXiv:2107.00135): in each layer every set has an
encoder of its own over its tokens and the shared ones; the shared tokens that come out are averaged
over the present sets. A sequence is read at a learned token before its first; sinusoids of their
times place its tokens. h is the mean of what is read of the present sets after the last layer, so
that the linear heads average the sets' logits, as the paper does. The first layer writes and the
second reads, hence two layers at least.

A set of one token is read at that, and has no place. In the paper's lower layers each set is by
itself; here it is so in its tower.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

import pipeline.core.options
from pipeline.models.encoder_layer import Dropout, Expansion, Heads, check_heads, encoder_layer

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor, nn

    from pipeline.models.sequences import TokenSequence

LEVEL = "sequences"


class Options(pipeline.core.options.Options):
    shared: int = Field(4, ge=1, le=64, description="tokens through which the sets exchange")
    layers: int = Field(2, ge=2, le=12, description="rounds of exchange; one alone would be none")
    heads: Heads = 4
    expansion: Expansion = 2
    dropout: Dropout = 0.1


def check(sets: int, width: int, options: Options) -> None:
    check_heads(width, options.heads)


def build(longest: Sequence[int], width: int, options: Options) -> nn.Module:
    import torch
    from torch import nn

    from pipeline.models.pooling import equal

    class Fusion(nn.Module):
        def __init__(self) -> None:
            super().__init__()

            def encoder() -> nn.Module:
                return encoder_layer(width, options.heads, options.expansion, options.dropout)

            self.width = width
            self.shared = nn.ParameterList([torch.randn(1, options.shared, width) * 0.02])
            self.rounds: Any = nn.ModuleList(
                nn.ModuleList(encoder() for _ in longest) for _ in range(options.layers)
            )
            self.norm = nn.LayerNorm(width)
            self.readers = nn.ParameterDict(
                {
                    str(i): torch.randn(1, 1, width) * 0.02
                    for i, count in enumerate(longest)
                    if count > 1
                }
            )

        def forward(
            self, sequences: list[TokenSequence], present: Bool[Tensor, "n sets"]
        ) -> Float[Tensor, "n width"]:
            """0 if nothing is there."""
            rows, shares = present.shape[0], equal(present)
            shared = self.shared[0].expand(rows, -1, -1)
            tokens: list[Tensor] = []
            absent: list[Tensor | None] = []
            for i, sequence in enumerate(sequences):
                placed = sequence.placed(present[:, i : i + 1], longest[i])
                if longest[i] > 1:
                    reader = self.readers[str(i)].expand(rows, -1, -1)
                    tokens.append(torch.cat([reader, placed.tokens], 1))
                    always = present.new_zeros(rows, 1 + options.shared)
                    absent.append(torch.cat([always[:, :1], ~placed.counted, always[:, 1:]], 1))
                else:
                    tokens.append(placed.tokens)
                    absent.append(None)
            for encoders in self.rounds:
                seen = [
                    encoder(torch.cat([each, shared], 1), src_key_padding_mask=mask)
                    for encoder, each, mask in zip(encoders, tokens, absent, strict=True)
                ]
                tokens = [each[:, : -options.shared] for each in seen]
                written = torch.stack([each[:, -options.shared :] for each in seen], 1)
                shared = (shares[..., None, None] * written).sum(1)
            read = torch.stack([each[:, 0] for each in tokens], 1)
            fused: Tensor = (shares[..., None] * self.norm(read)).sum(1)
            return fused

    return Fusion()
