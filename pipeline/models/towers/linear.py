"""One linear layer over a vector, or over the mean of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from pipeline.models.frames import frame_mean
from pipeline.models.tower_options import TowerOptions

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor, nn

IDS = False


class Options(TowerOptions):
    dropout: float = Field(0.0, ge=0, lt=1, description="share of the set's dimensions dropped")


def check(shape: tuple[int, ...], options: Options) -> None:
    """It takes any."""


def build(shape: tuple[int, ...], options: Options) -> nn.Module:
    from torch import nn

    class Tower(nn.Module):
        step = 1

        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(
                nn.Dropout(options.dropout), nn.Linear(shape[-1], options.width)
            )

        def forward(
            self, values: Float[Tensor, "n *frames bands"], lengths: Int[Tensor, " n"]
        ) -> Float[Tensor, "n width"]:
            token: Tensor = self.layers(values if values.ndim == 2 else frame_mean(values, lengths))
            return token

        def frames(
            self, values: Float[Tensor, "n frames bands"], lengths: Int[Tensor, " n"]
        ) -> Float[Tensor, "n frames width"]:
            tokens: Tensor = self.layers(values)
            return tokens

    return Tower()
