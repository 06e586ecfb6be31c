"""Late fusion: each set votes for itself.

Snoek, Worring & Smeulders 2005, Early versus late fusion (doi:10.1145/1101149.1101236), here learnt
in one. The heads are linear, so the mean of the present tokens gives the mean of the present sets'
logits.
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
            mask = present[..., None]
            return tokens.where(mask, 0.0).sum(1) / mask.sum(1).clamp(min=1)

    return Fusion()
