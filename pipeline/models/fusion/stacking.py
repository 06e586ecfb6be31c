"""Stacked generalisation: a linear layer over what each set answers and over which are there.

logits = W·[log p₁ … log pₛ, present] + b, with zeros for absent sets (Wolpert 1992,
doi:10.1016/S0893-6080(05)80023-1; a linear meta-learner on all classes' probabilities: Ting &
Witten 1999, doi:10.1613/jair.594). W starts as the mean of the logarithms.

Each set's head learns by its own loss; the layer learns beside them, on their answers without a
gradient into them. What differs: Wolpert's layer learns on answers to examples that the heads have
not seen. Here it learns on the train split, of which each batch has dropout and hidden modalities:
one training in place of k + 1, at the price of trusting too much a set that overfits.
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
            layers = [nn.Linear(sets * k + sets, k) for k in classes]
            with torch.no_grad():
                for layer, k in zip(layers, classes, strict=True):
                    start = torch.eye(k).repeat(1, sets) / sets
                    layer.weight.copy_(torch.cat([start, torch.zeros(k, sets)], 1))
                    layer.bias.zero_()
            self.layers = nn.ModuleList(layers)

        def forward(
            self,
            task: int,
            logits: Float[Tensor, "n sets classes"],
            present: Bool[Tensor, "n sets"],
        ) -> Float[Tensor, "n classes"]:
            mask = present[..., None]
            log_probabilities = logits.where(mask, 0.0).log_softmax(2).where(mask, 0.0)
            answer: Tensor = self.layers[task](
                torch.cat([log_probabilities.flatten(1), present.to(log_probabilities)], 1)
            )
            return answer.log_softmax(1)

    return Decision()
