"""Decision-level pooling of logarithms: the geometric mean of the present sets' probabilities.

log p = Σ log pᵢ / s + const: the product rule of Kittler et al. (1998, doi:10.1109/34.667881), or
logarithmic opinion pool (Genest & Zidek 1986, doi:10.1214/ss/1177013825). Unlike `average`, one
set can rule a class out. Each set's head learns by its own loss. The mean in place of the sum
leaves an answer as sure as the sets are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.models.fusion._plain import NoOptions, any_sets

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor, nn

LEVEL = "decisions"
Options = NoOptions
check = any_sets


def build(sets: int, classes: Sequence[int], options: Options) -> nn.Module:
    from torch import nn

    class Decision(nn.Module):
        def forward(
            self,
            task: int,
            logits: Float[Tensor, "n sets classes"],
            present: Bool[Tensor, "n sets"],
        ) -> Float[Tensor, "n classes"]:
            from pipeline.models.pooling import equal, logarithmic

            return logarithmic(logits, present, equal(present))

    return Decision()
