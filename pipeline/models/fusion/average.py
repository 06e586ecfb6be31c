"""Decision-level averaging: the mean of the present sets' probabilities.

log p = log Σ pᵢ / s, the sum rule (Kittler et al. 1998, doi:10.1109/34.667881). Each set's head
learns by its own loss. In `late`, by contrast, logits are averaged and learn together.
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
            from pipeline.models.pooling import equal, linear

            return linear(logits, present, equal(present))

    return Decision()
