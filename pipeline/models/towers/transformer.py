"""A transformer encoder over frames, read at one learned token that is always there.

Vaswani et al. 2017 (arXiv:1706.03762), its sinusoids for positions; frames beyond a row's length
are masked as keys. The token that is read stands before the first frame and has no position.

A frame's position is its place, or, where frames bear times, its time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from pipeline.models.encoder_layer import Dropout, Layers, encoder_layer
from pipeline.models.frames import check_frames, frame_mask
from pipeline.models.positions import TIME_SCALE, positions, sinusoids
from pipeline.models.tower_options import TowerOptions

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor, nn

IDS = False


class Options(TowerOptions):
    hidden: int = Field(
        128, ge=2, le=4096, multiple_of=2, description="dimensions of a frame inside"
    )
    layers: Layers = 2
    heads: int = Field(4, ge=1, le=64, description="attention heads; divides `hidden`")
    expansion: int = Field(2, ge=1, le=8, description="inner layer's width over `hidden`")
    dropout: Dropout = 0.1


def check(shape: tuple[int, ...], options: Options) -> None:
    check_frames(shape)
    if options.hidden % options.heads:
        raise ValueError(
            f"takes heads that divide its hidden {options.hidden}, not {options.heads}"
        )


def build(shape: tuple[int, ...], options: Options) -> nn.Module:
    import torch
    from torch import nn

    class Tower(nn.Module):
        step = 1

        def __init__(self) -> None:
            super().__init__()
            hidden = options.hidden
            self.enter = nn.Linear(shape[1] - options.times, hidden)
            self.reader = nn.ParameterList([torch.randn(1, 1, hidden) * 0.02])
            layer = encoder_layer(hidden, options.heads, options.expansion, options.dropout)
            self.encoder = nn.TransformerEncoder(
                layer, options.layers, nn.LayerNorm(hidden), enable_nested_tensor=False
            )
            self.leave = nn.Linear(hidden, options.width)
            self.register_buffer("places", positions(shape[0], hidden), persistent=False)

        def forward(
            self, values: Float[Tensor, "n frames bands"], lengths: Int[Tensor, " n"]
        ) -> Float[Tensor, "n width"]:
            token: Tensor = self.leave(self._encoded(values, lengths)[:, 0])
            return token

        def frames(
            self, values: Float[Tensor, "n frames bands"], lengths: Int[Tensor, " n"]
        ) -> Float[Tensor, "n frames width"]:
            tokens: Tensor = self.leave(self._encoded(values, lengths)[:, 1:])
            return tokens

        def _encoded(self, values: Tensor, lengths: Tensor) -> Tensor:
            """The token that is read, then the frames: (n, 1 + frames, hidden)."""
            if options.times:
                values, times = values[..., :-1], values[..., -1]
                places = sinusoids(times * TIME_SCALE, options.hidden)
            else:
                places = self.get_buffer("places")[: values.shape[1]]
            reader = self.reader[0].expand(values.shape[0], -1, -1)
            sequence = torch.cat([reader, self.enter(values) + places], 1)
            padding = ~frame_mask(sequence.shape[1], lengths + 1)[..., 0]
            encoded: Tensor = self.encoder(sequence, src_key_padding_mask=padding)
            return encoded

    return Tower()
