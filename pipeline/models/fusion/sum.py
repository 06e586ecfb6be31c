"""Tokens added up, so that sets which agree make a model surer.

h = Σ xᵢ over the present sets. The heads are linear, so logits add up: the product rule for
combining classifiers of independent inputs (Kittler et al. 1998, IEEE PAMI 20(3):226-239). `late`
divides by the number of present sets; this does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.models.fusion._plain import NoOptions, any_sets

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor, nn

LEVEL = "tokens"
Options = NoOptions
check = any_sets


def build(sets: int, width: int, options: Options) -> nn.Module:
    from torch import nn

    class Fusion(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.width = width

        def forward(
            self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
        ) -> Float[Tensor, "n width"]:
            """0 if nothing is there."""
            return tokens.where(present[..., None], 0.0).sum(1)

    return Fusion()
