"""What fusions of sequences do with each before they attend to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.models.positions import sinusoids

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor


def placed(
    tokens: Float[Tensor, "n k width"],
    counted: Bool[Tensor, "n k"],
    times: Float[Tensor, "n k"],
    longest: int,
) -> Float[Tensor, "n k width"]:
    """Tokens with the sinusoids of their times, so that those of like times know each other.

    A set that has one token at most (`longest` is 1) has no time.
    Zeros where none counts: attention multiplies by 0 what is masked, which no NaN would heed.
    """
    if longest > 1:
        tokens = tokens + sinusoids(times.where(counted, 0.0), tokens.shape[2])
    return tokens.where(counted[..., None], 0.0)
