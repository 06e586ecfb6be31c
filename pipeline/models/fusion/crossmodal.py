"""Each set asks each other one by attention, and all the answers are joined.

The multimodal transformer of Tsai et al. 2019 (MulT, arXiv:1906.00295): for each ordered pair
(i, j) a stack of layers of its own, in which the tokens of i are queries and those of j keys and
values. The streams of i, side by side, go through a transformer over their time, which is read at
its last token; then one layer over all sets. Sinusoids of their times tell tokens which others are
of their time; those of places, where a set has no times, are numbered from 0 in each set, as there.

A set of one token has no time: it bears no sinusoids, and its streams are all that it says.

What differs: the convolution before is the set's tower. Since attention over one key would always
be 1, a key and a value of zeros stand beside all others, which makes it a gate: i decides how much
it takes of j. If j is absent, zeros are all there is; if i is absent, its streams are zeros.
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
    hidden: int = Field(128, ge=1, le=4096, description="dimensions that go on to the heads")
    layers: int = Field(
        1, ge=1, le=12, description="layers of each ordered pair of sets, and over time"
    )
    heads: Heads = 4
    expansion: Expansion = 2
    dropout: Dropout = 0.1


def check(sets: int, width: int, options: Options) -> None:
    if sets < 2:
        raise ValueError("fusion 'crossmodal' takes two feature sets or more: name fusion 'none'")
    check_heads(width, options.heads)


def build(longest: Sequence[int], width: int, options: Options) -> nn.Module:
    import torch
    from torch import nn

    sets = len(longest)

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
            self.over_time: Any = nn.ModuleDict(
                {
                    str(i): nn.ModuleList(
                        encoder_layer(
                            (sets - 1) * width, options.heads, options.expansion, options.dropout
                        )
                        for _ in range(options.layers)
                    )
                    for i, count in enumerate(longest)
                    if count > 1
                }
            )

        def forward(
            self, sequences: list[TokenSequence], present: Bool[Tensor, "n sets"]
        ) -> Float[Tensor, "n hidden={self.width}"]:
            placed = [
                sequence.placed(present[:, i : i + 1], longest[i])
                for i, sequence in enumerate(sequences)
            ]
            streams: dict[int, list[Tensor]] = {i: [] for i in range(sets)}
            for (i, j), layers in zip(self.pairs, self.streams, strict=True):
                target = placed[i].tokens
                for layer in layers:
                    target = _ask(layer, target, placed[j].tokens, ~placed[j].counted)
                streams[i].append(target)
            rows = []
            for i, of_set in streams.items():
                stream, counted = torch.cat(of_set, 2), placed[i].counted
                if longest[i] > 1:
                    # A sequence of nothing attends to its first place, lest it be no number.
                    first = torch.arange(stream.shape[1], device=stream.device) == 0
                    for layer in self.over_time[str(i)]:
                        stream = layer(stream, src_key_padding_mask=~(counted | first))
                rows.append(_last(stream, counted).where(present[:, i : i + 1], 0.0))
            joined: Tensor = self.join(torch.cat(rows, 1))
            return joined

    return Fusion()


def _last(
    stream: Float[Tensor, "n targets streams"], counted: Bool[Tensor, "n targets"]
) -> Float[Tensor, "n streams"]:
    """The last token of each row that counts, or the first if none does."""
    place = (counted.sum(1) - 1).clamp(min=0)[:, None, None]
    return stream.gather(1, place.expand(-1, 1, stream.shape[2]))[:, 0]


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
    target: Float[Tensor, "n targets width"],
    source: Float[Tensor, "n sources width"],
    absent: Bool[Tensor, "n sources"],
) -> Float[Tensor, "n targets width"]:
    """The target's tokens after they have asked the source's, of which any may be absent."""
    key = layer["source"](source)
    taken, _ = layer["attention"](
        layer["target"](target), key, key, key_padding_mask=absent, need_weights=False
    )
    target = target + taken
    mixed: Tensor = target + layer["mix"](target)
    return mixed
