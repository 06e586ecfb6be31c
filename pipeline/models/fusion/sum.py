"""Tokens added up, so that sets which agree make a model surer.

h = Σ xᵢ over the present sets. The heads are linear, so logits add up: the product rule for
combining classifiers of independent inputs (Kittler et al. 1998, IEEE PAMI 20(3):226-239). `late`
divides by the number of present sets; this does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pipeline.options

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor


class Options(pipeline.options.Options):
    """There is nothing to choose."""


class Fusion:
    def __init__(self, sets: int, width: int, options: Options) -> None:
        from torch import nn

        self.width = width
        self.layers = nn.Module()

    def fuse(
        self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
    ) -> Float[Tensor, "n width"]:
        """0 if nothing is there."""
        return tokens.where(present[..., None], 0.0).sum(1)
