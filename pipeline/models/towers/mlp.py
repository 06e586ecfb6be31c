"""Two layers over a vector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from pipeline.models.frames import check_vector, token_head
from pipeline.models.tower_options import TowerOptions

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor, nn

IDS = False


class Options(TowerOptions):
    hidden: int = Field(256, ge=1, le=8192, description="units of the hidden layer")
    dropout: float = Field(0.3, ge=0, lt=1, description="share of the hidden layer dropped")


def check(shape: tuple[int, ...], options: Options) -> None:
    check_vector(shape)


def build(shape: tuple[int, ...], options: Options) -> nn.Module:
    from torch import nn

    class Tower(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = token_head(shape[0], options.hidden, options.width, options.dropout)

        def forward(
            self, values: Float[Tensor, "n numbers"], lengths: Int[Tensor, " n"]
        ) -> Float[Tensor, "n width"]:
            token: Tensor = self.layers(values)
            return token

    return Tower()
