"""Nothing is learnt: the standardised vector is the token, and of frames their mean is.

A fusion takes tokens of one width, so the set must be as wide as they are. `early` fusion, which
takes sets of any width, reads them all by this.
"""

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
    """There is nothing to choose; the width is the set's own, however large."""

    width: int = Field(default=128, ge=1, description="dimensions of the set, and of the token")


def check(shape: tuple[int, ...], options: Options) -> None:
    if shape[-1] != options.width:
        raise ValueError(f"takes {options.width} dimensions, the width of the tokens")


def build(shape: tuple[int, ...], options: Options) -> nn.Module:
    from torch import nn

    class Tower(nn.Module):
        step = 1

        def forward(
            self, values: Float[Tensor, "n *frames width"], lengths: Int[Tensor, " n"]
        ) -> Float[Tensor, "n width"]:
            return values if values.ndim == 2 else frame_mean(values, lengths)

        def frames(
            self, values: Float[Tensor, "n frames width"], lengths: Int[Tensor, " n"]
        ) -> Float[Tensor, "n frames width"]:
            return values

    return Tower()
