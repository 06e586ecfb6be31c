"""Tokens added up by weights that are the same for every example.

h = Σ wᵢ xᵢ / Σ wᵢ over the present sets, with weights given or learned (as softmax of one score per
set). The heads are linear, so this weighs the sets' logits: the logarithmic opinion pool (Genest &
Zidek 1986, Statistical Science 1(1):114-135), trained with its experts. In `gated` each example
has weights of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

import pipeline.core.options

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor, nn

LEVEL = "tokens"


class Options(pipeline.core.options.Options):
    weights: tuple[Annotated[float, Field(ge=1e-6, le=1e6)], ...] | None = Field(
        None,
        description="one weight per feature set, in their order; null: learned, at first equal",
    )


def check(sets: int, width: int, options: Options) -> None:
    if options.weights is not None and len(options.weights) != sets:
        raise ValueError(
            f"fusion_options.weights: {len(options.weights)} weights for {sets} feature sets: "
            "give one per set"
        )


def build(sets: int, width: int, options: Options) -> nn.Module:
    import torch
    from torch import nn

    class Fusion(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.width = width
            start = torch.ones(sets) if options.weights is None else torch.tensor(options.weights)
            scores = nn.Parameter(start.log(), requires_grad=options.weights is None)
            self.layers = nn.ParameterList([scores])

        def forward(
            self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
        ) -> Float[Tensor, "n width"]:
            """0 if nothing is there."""
            mask = present[..., None]
            return (self.weights(present)[..., None] * tokens.where(mask, 0.0)).sum(1)

        def weights(self, present: Bool[Tensor, "n sets"]) -> Float[Tensor, "n sets"]:
            """Weights that sum to 1 over the present sets, to 0 if there are none."""
            from pipeline.models.pooling import softmax

            return softmax(self.layers[0], present)

        def set_weights(
            self, tokens: Float[Tensor, "n sets width"], present: Bool[Tensor, "n sets"]
        ) -> Float[Tensor, "n sets"]:
            """The same, whatever the tokens."""
            return self.weights(present)

    return Fusion()
