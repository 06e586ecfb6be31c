"""Two strided convolutions over time; the mean and the maximum of what they find."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from pipeline.models.frames import check_frames, frame_mask, frame_mean, token_head
from pipeline.models.tower_options import TowerOptions

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor, nn

IDS = False


class Options(TowerOptions):
    hidden: int = Field(256, ge=1, le=8192, description="units of a frame, and of each layer")
    dropout: float = Field(0.3, ge=0, lt=1, description="share of the hidden layer dropped")


def check(shape: tuple[int, ...], options: Options) -> None:
    check_frames(shape)


def build(shape: tuple[int, ...], options: Options) -> nn.Module:
    import torch
    from torch import nn

    class Tower(nn.Module):
        step = 4

        def __init__(self) -> None:
            super().__init__()
            hidden = options.hidden
            self.steps = nn.ModuleList(
                nn.Conv1d(bands, hidden, kernel_size=5, stride=2, padding=2)
                for bands in (shape[1], hidden)
            )
            self.join = nn.Linear(2 * hidden, hidden)
            self.head = token_head(hidden, hidden, options.width, options.dropout)

        def forward(
            self, values: Float[Tensor, "n frames bands"], lengths: Int[Tensor, " n"]
        ) -> Float[Tensor, "n width"]:
            features, lengths = self._features(values, lengths)
            within = frame_mask(features.shape[1], lengths)
            least = torch.finfo(features.dtype).min
            peak = features.masked_fill(~within, least).amax(1).where(lengths[:, None] > 0, 0.0)
            token: Tensor = self.head(
                self.join(torch.cat([frame_mean(features, lengths), peak], 1))
            )
            return token

        def frames(
            self, values: Float[Tensor, "n frames bands"], lengths: Int[Tensor, " n"]
        ) -> Float[Tensor, "n steps width"]:
            """Each is its own mean and maximum."""
            features, _ = self._features(values, lengths)
            tokens: Tensor = self.head(self.join(torch.cat([features, features], 2)))
            return tokens

        def _features(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
            """(n, steps, hidden), zeros beyond the lengths, which are now (n,) of these."""
            features = values
            for step in self.steps:
                lengths = (lengths + 1) // 2
                features = torch.nn.functional.gelu(step(features.transpose(1, 2))).transpose(1, 2)
                features = features.where(frame_mask(features.shape[1], lengths), 0.0)
            return features, lengths

    return Tower()
