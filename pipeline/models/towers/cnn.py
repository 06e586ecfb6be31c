"""Convolutions over two dimensions: pictures, and spectrograms as pictures.

Layers of 3 by 3 filters at stride 2 (LeCun et al. 1998, doi:10.1109/5.726791, strides for its
subsampling), each with twice the filters of the one before; then the mean and the maximum over the
plane. A picture of height h and width w is a sequence of h rows of w * channels values, channels
together, as `pixels` makes it; a log-mel spectrogram has one channel.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from pydantic import Field

from pipeline.models.frames import check_frames, frame_mask, token_head
from pipeline.models.tower_options import TowerOptions

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor, nn

IDS = False


class Options(TowerOptions):
    channels: int = Field(1, ge=1, le=64, description="channels of a pixel; of a spectrogram 1")
    filters: int = Field(32, ge=1, le=1024, description="filters of the first layer")
    layers: int = Field(3, ge=1, le=6, description="layers, each half as high and wide")
    hidden: int = Field(256, ge=1, le=8192, description="units of the hidden layer")
    dropout: float = Field(0.3, ge=0, lt=1, description="share of the hidden layer dropped")


def check(shape: tuple[int, ...], options: Options) -> None:
    check_frames(shape)
    if shape[1] % options.channels:
        raise ValueError(f"takes frames whose width is a multiple of {options.channels} (channels)")


def build(shape: tuple[int, ...], options: Options) -> nn.Module:
    import torch
    from torch import nn

    class Tower(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.channels, self.step = options.channels, 2**options.layers
            sizes = [options.channels, *(options.filters * 2**i for i in range(options.layers))]
            self.steps = nn.ModuleList(
                nn.Conv2d(before, after, kernel_size=3, stride=2, padding=1)
                for before, after in pairwise(sizes)
            )
            self.head = token_head(2 * sizes[-1], options.hidden, options.width, options.dropout)

        def pool(
            self, mean: Float[Tensor, " bands"], deviation: Float[Tensor, " bands"]
        ) -> tuple[Float[Tensor, " bands"], Float[Tensor, " bands"]]:
            """Those of a channel over all columns: a filter should see the same at every place.

            With one channel the columns are bands, each of which has its own level.
            """
            if self.channels == 1:
                return mean, deviation
            columns = mean.view(-1, self.channels)
            center = columns.mean(0)
            square = (deviation.view_as(columns) ** 2 + (columns - center) ** 2).mean(0)
            return center.repeat(len(columns)), square.sqrt().repeat(len(columns))

        def forward(
            self, values: Float[Tensor, "n frames bands"], lengths: Int[Tensor, " n"]
        ) -> Float[Tensor, "n width"]:
            features, lengths = self._features(values, lengths)
            within = frame_mask(features.shape[2], lengths)[:, None]
            mean = features.sum((2, 3)) / (lengths.clamp(min=1) * features.shape[3])[:, None]
            least = torch.finfo(features.dtype).min
            peak = (
                features.masked_fill(~within, least).amax((2, 3)).where(lengths[:, None] > 0, 0.0)
            )
            token: Tensor = self.head(torch.cat([mean, peak], 1))
            return token

        def frames(
            self, values: Float[Tensor, "n frames bands"], lengths: Int[Tensor, " n"]
        ) -> Float[Tensor, "n steps width"]:
            """Of each row of the plane its mean and its maximum."""
            features, _ = self._features(values, lengths)
            rows = torch.cat([features.mean(3), features.amax(3)], 1).transpose(1, 2)
            tokens: Tensor = self.head(rows)
            return tokens

        def _features(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
            """(n, filters, steps, columns), zeros beyond the lengths, which are (n,) of steps."""
            features = values.view(*values.shape[:2], -1, self.channels).permute(0, 3, 1, 2)
            for step in self.steps:
                lengths = (lengths + 1) // 2
                features = torch.nn.functional.gelu(step(features))
                features = features.where(frame_mask(features.shape[2], lengths)[:, None], 0.0)
            return features, lengths

    return Tower()
