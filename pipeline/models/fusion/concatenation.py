"""Tokens side by side, then one layer; a learned embedding stands where a set is absent.

The joint representation of Ngiam et al. 2011 (Multimodal Deep Learning, ICML) in its plainest form;
see the survey of Baltrušaitis, Ahuja & Morency 2019 (arXiv:1705.09406).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

import pipeline.core.options
from pipeline.models.fusion._plain import any_sets

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor, nn

LEVEL = "tokens"
check = any_sets


class Options(pipeline.core.options.Options):
    hidden: int = Field(128, ge=1, le=4096, description="units of the layer above the tokens")
    dropout: float = Field(0.2, ge=0, lt=1, description="share of that layer dropped in training")


def build(sets: int, width: int, options: Options) -> nn.Module:
    import torch
    from torch import nn

    class Fusion(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.width = options.hidden
            self.absent = nn.Parameter(torch.zeros(sets, width))
            self.mix = nn.Sequential(
                nn.Linear(sets * width, options.hidden), nn.GELU(), nn.Dropout(options.dropout)
            )

        def forward(
            self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
        ) -> Float[Tensor, "n hidden={self.width}"]:
            filled = tokens.where(present[..., None], self.absent)
            mixed: Tensor = self.mix(filled.flatten(1))
            return mixed

    return Fusion()
