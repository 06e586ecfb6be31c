"""No fusion: the one tower speaks for itself; an absent row is all zeros."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.models.fusion._plain import NoOptions

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor, nn

LEVEL = "tokens"
Options = NoOptions


def check(sets: int, width: int, options: Options) -> None:
    if sets > 1:
        raise ValueError(f"fusion 'none' takes one feature set, not {sets}: name a fusion")


def build(sets: int, width: int, options: Options) -> nn.Module:
    from torch import nn

    class Fusion(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.width = width

        def forward(
            self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
        ) -> Float[Tensor, "n width"]:
            return tokens[:, 0].where(present, 0.0)

    return Fusion()
