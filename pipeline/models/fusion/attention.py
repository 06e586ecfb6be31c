"""A transformer encoder over the tokens, read at one learned token that is always there.

Absent sets are masked as keys (Vaswani et al. 2017, arXiv:1706.03762); each set adds a learned
embedding to its token, since tokens have no order to tell them apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pipeline.core.options
from pipeline.models.encoder_layer import (
    Dropout,
    Expansion,
    Heads,
    Layers,
    check_heads,
    encoder_layer,
)

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor, nn

LEVEL = "tokens"


class Options(pipeline.core.options.Options):
    layers: Layers = 1
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
            self.width = width
            self.names = nn.Parameter(torch.randn(sets, width) * 0.02)
            self.reader = nn.Parameter(torch.randn(1, 1, width) * 0.02)
            layer = encoder_layer(width, options.heads, options.expansion, options.dropout)
            self.encoder = nn.TransformerEncoder(
                layer, options.layers, nn.LayerNorm(width), enable_nested_tensor=False
            )

        def forward(
            self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
        ) -> Float[Tensor, "n width"]:
            sequence, absent = self.sequence(tokens, present)
            read: Tensor = self.encoder(sequence, src_key_padding_mask=absent)[:, 0]
            return read

        def fused_tokens(
            self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
        ) -> tuple[Float[Tensor, "n sets+1 width"], Bool[Tensor, "n sets+1"]]:
            sequence, absent = self.sequence(tokens, present)
            return self.encoder(sequence, src_key_padding_mask=absent), absent

        def set_weights(
            self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
        ) -> Float[Tensor, "n sets"]:
            """What the reader attends to in the last layer, over the sets alone."""
            read, absent = self.sequence(tokens, present)
            *lower, last = self.encoder.layers
            for layer in lower:
                read = layer(read, src_key_padding_mask=absent)
            read = last.norm1(read)
            _, attended = last.self_attn(read, read, read, key_padding_mask=absent)
            of_sets = attended[:, 0, 1:]
            shares: Tensor = of_sets / of_sets.sum(1, keepdim=True).clamp(min=1e-30)
            return shares

        def sequence(
            self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
        ) -> tuple[Float[Tensor, "n sets+1 width"], Bool[Tensor, "n sets+1"]]:
            """The reader and the named tokens, and which of them are absent."""
            rows = tokens.shape[0]
            reader = self.reader.expand(rows, -1, -1)
            # A masked key counts 0 times, and 0 times a NaN would be one.
            named = tokens.where(present[..., None], 0.0) + self.names
            sequence = torch.cat([reader, named], 1)
            return sequence, torch.cat([present.new_zeros(rows, 1), ~present], 1)

    return Fusion()
