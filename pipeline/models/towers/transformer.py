"""A transformer encoder over frames, read at one learned token that is always there.

Vaswani et al. 2017 (arXiv:1706.03762), its sinusoids for positions; frames beyond a row's length
are masked as keys. The token that is read stands before the first frame and has no position.

A frame's position is its place, or, where frames bear times, its time: then those that are missing
or lie at uneven distances are as far from each other as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from pipeline.models.encoder_layer import Dropout, Layers, encoder_layer
from pipeline.models.frames import check_frames, frame_mask
from pipeline.models.tower_options import TowerOptions

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor, nn

IDS = False
# Seconds by which times are divided, as other numbers are by their deviation: up to ten times as
# long, which is where towers cut numbers off, they are exact to a millisecond.
TIME_SCALE = 1000.0


class Options(TowerOptions):
    hidden: int = Field(
        128, ge=2, le=4096, multiple_of=2, description="dimensions of a frame inside"
    )
    layers: Layers = 2
    heads: int = Field(4, ge=1, le=64, description="attention heads; divides `hidden`")
    expansion: int = Field(2, ge=1, le=8, description="inner layer's width over `hidden`")
    dropout: Dropout = 0.1
    times: bool = Field(
        False,
        description="whether a frame's last number is its time in seconds, which is its position",
    )


def check(shape: tuple[int, ...], options: Options) -> None:
    check_frames(shape)
    if options.times and shape[1] < 2:
        raise ValueError("takes frames of two numbers or more, of which the last is their time")
    if options.hidden % options.heads:
        raise ValueError(
            f"takes heads that divide its hidden {options.hidden}, not {options.heads}"
        )


def build(shape: tuple[int, ...], options: Options) -> nn.Module:
    import torch
    from torch import nn

    class Tower(nn.Module):
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
            if options.times:
                values, times = values[..., :-1], values[..., -1]
                places = sinusoids(times * TIME_SCALE, options.hidden)
            else:
                places = self.get_buffer("places")[: values.shape[1]]
            reader = self.reader[0].expand(values.shape[0], -1, -1)
            sequence = torch.cat([reader, self.enter(values) + places], 1)
            padding = ~frame_mask(sequence.shape[1], lengths + 1)[..., 0]
            token: Tensor = self.leave(self.encoder(sequence, src_key_padding_mask=padding)[:, 0])
            return token

        def pool(
            self, mean: Float[Tensor, " bands"], deviation: Float[Tensor, " bands"]
        ) -> tuple[Float[Tensor, " bands"], Float[Tensor, " bands"]]:
            """Times are not standardised by what occurs: a second is the same in every model."""
            if options.times:
                mean, deviation = mean.clone(), deviation.clone()
                mean[-1], deviation[-1] = 0.0, TIME_SCALE
            return mean, deviation

    return Tower()


def positions(count: int, hidden: int) -> Float[Tensor, "{count} {hidden}"]:
    """Those of the first places."""
    import torch

    return sinusoids(torch.arange(count), hidden)


def sinusoids(places: Float[Tensor, "*frames"], hidden: int) -> Float[Tensor, "*frames {hidden}"]:
    """Sines and cosines of geometrically growing wavelengths, of places or seconds."""
    import torch

    rate = 10_000 ** (-torch.arange(0, hidden, 2, device=places.device) / hidden)
    angles = places[..., None] * rate
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(-2)
