"""Decision-level voting: each present set has one vote, for its likeliest class.

p = (votes + mean pᵢ) / (s + 1) over the s present sets: the majority wins, and the mean of the
probabilities, which never adds a whole vote, breaks ties (plurality vote: Kittler et al. 1998,
doi:10.1109/34.667881). Votes have no gradient; each set's head learns by its own loss.
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
        def forward(
            self,
            task: int,
            logits: Float[Tensor, "n sets classes"],
            present: Bool[Tensor, "n sets"],
        ) -> Float[Tensor, "n classes"]:
            from pipeline.models.pooling import equal, linear

            classes = torch.arange(logits.shape[2], device=logits.device)
            chosen = logits.where(present[..., None], 0.0).argmax(2, keepdim=True) == classes
            votes = (chosen & present[..., None]).sum(1).to(logits.dtype)
            mean = linear(logits, present, equal(present))
            # log(votes + mean), with no vote the logarithm itself: no probability is rounded to 0.
            counted = torch.logaddexp(votes.clamp(min=1).log(), mean).where(votes > 0, mean)
            return counted.log_softmax(1)

    return Decision()
