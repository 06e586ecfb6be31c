"""Decision-level averaging by learned weights: one per set and task, the same for every example.

p = Σ wᵢpᵢ / Σ wᵢ over the present sets: the linear opinion pool (Stone 1961,
doi:10.1214/aoms/1177704873). Each set's head learns by its own loss, the weights by the pool's.
They learn on the train split, so that a set that overfits is trusted more than it deserves.
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
    import torch
    from torch import nn

    class Decision(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ParameterList(torch.zeros(sets) for _ in classes)

        def forward(
            self,
            task: int,
            logits: Float[Tensor, "n sets classes"],
            present: Bool[Tensor, "n sets"],
        ) -> Float[Tensor, "n classes"]:
            from pipeline.models.pooling import linear

            return linear(logits, present, self.set_weights(task, present))

        def set_weights(
            self, task: int, present: Bool[Tensor, "n sets"]
        ) -> Float[Tensor, "n sets"]:
            """Weights that sum to 1 over the present sets, to 0 if there are none."""
            from pipeline.models.pooling import softmax

            return softmax(self.layers[task], present)

    return Decision()
