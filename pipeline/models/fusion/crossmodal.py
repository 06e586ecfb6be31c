"""Each set asks each other one by attention, and all the answers are joined.

Pairwise cross-modal attention after the multimodal transformer of Tsai et al. 2019 (MulT,
arXiv:1906.00295): for each ordered pair (i, j) a stack of layers of its own, in which the token
of i is the query and that of j key and value; the streams side by side, then one layer.

What differs: the paper's sets are sequences, here a set is one token. So there are no positions, no
convolution before and no self-attention over time after; and since attention over one key would
always be 1, a key and a value of zeros stand beside it, which makes it a gate: i decides how much
it takes of j. If j is absent, zeros are all there is; if i is absent, its streams are zeros.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

import pipeline.core.options
from pipeline.models.encoder_layer import Dropout, Expansion, Heads, check_heads

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor, nn

LEVEL = "tokens"


class Options(pipeline.core.options.Options):
    hidden: int = Field(128, ge=1, le=4096, description="dimensions that go on to the heads")
    layers: int = Field(1, ge=1, le=12, description="layers of each ordered pair of sets")
    heads: Heads = 4
    expansion: Expansion = 2
    dropout: Dropout = 0.1


def check(sets: int, width: int, options: Options) -> None:
    if sets < 2:
        raise ValueError("fusion 'crossmodal' takes two feature sets or more: name fusion 'none'")
    check_heads(width, options.heads)


def build(sets: int, width: int, options: Options) -> nn.Module:
    import torch
    from torch import nn

    class Fusion(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.width = options.hidden
            self.pairs = [(i, j) for i in range(sets) for j in range(sets) if i != j]
            self.streams: Any = nn.ModuleList(
                nn.ModuleList(_layer(width, options) for _ in range(options.layers))
                for _ in self.pairs
            )
            self.join = nn.Sequential(
                nn.LayerNorm(len(self.pairs) * width),
                nn.Linear(len(self.pairs) * width, self.width),
            )

        def forward(
            self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
        ) -> Float[Tensor, "n hidden={self.width}"]:
            # Attention multiplies what is masked by 0, which would not silence a NaN.
            tokens = tokens.where(present[..., None], 0.0)
            streams = []
            for (i, j), layers in zip(self.pairs, self.streams, strict=True):
                target, source = tokens[:, i : i + 1], tokens[:, j : j + 1]
                for layer in layers:
                    target = _ask(layer, target, source, ~present[:, j : j + 1])
                streams.append(target[:, 0].where(present[:, i : i + 1], 0.0))
            joined: Tensor = self.join(torch.cat(streams, 1))
            return joined

    return Fusion()


def _layer(width: int, options: Options) -> nn.ModuleDict:
    from torch import nn

    inner = options.expansion * width
    return nn.ModuleDict(
        {
            "target": nn.LayerNorm(width),
            "source": nn.LayerNorm(width),
            "attention": nn.MultiheadAttention(
                width, options.heads, options.dropout, add_zero_attn=True, batch_first=True
            ),
            "mix": nn.Sequential(
                nn.LayerNorm(width),
                nn.Linear(width, inner),
                nn.GELU(),
                nn.Dropout(options.dropout),
                nn.Linear(inner, width),
            ),
        }
    )


def _ask(
    layer: nn.ModuleDict,
    target: Float[Tensor, "n 1 width"],
    source: Float[Tensor, "n 1 width"],
    absent: Bool[Tensor, "n 1"],
) -> Float[Tensor, "n 1 width"]:
    """The target's token after it has asked the source, which may be absent."""
    key = layer["source"](source)
    taken, _ = layer["attention"](
        layer["target"](target), key, key, key_padding_mask=absent, need_weights=False
    )
    target = target + taken
    mixed: Tensor = target + layer["mix"](target)
    return mixed
