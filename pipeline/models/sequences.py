"""What towers give to fusions that attend over time: of each feature set its tokens, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from pipeline.models.frames import masked_mean
from pipeline.models.positions import sinusoids

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


class TokenSequence(NamedTuple):
    """The tokens of a feature set, in `n` rows; a set that is one token is a sequence of one.

    Attributes
    ----------
    tokens:
        Of a row as many as the longest has.
    counted:
        Which of them lie within the row's length.
    times:
        Where they stand: at the seconds that frames bear, or their place.
    """

    tokens: Float[Tensor, "n _ width"]
    counted: Bool[Tensor, "n _"]
    times: Float[Tensor, "n _"]

    def filled(
        self, present: Bool[Tensor, "n 1"], absent: Float[Tensor, " width"]
    ) -> TokenSequence:
        """Where the set is absent, the token `absent` alone."""
        first = torch.arange(self.tokens.shape[1], device=self.tokens.device) == 0
        tokens = self.tokens.where(present[..., None], absent)
        return TokenSequence(tokens, self.counted.where(present, first), self.times)

    def mean(self) -> Float[Tensor, "n width"]:
        """Of the tokens that count; 0 if none does."""
        return masked_mean(self.tokens, self.counted[..., None])

    def placed(self, present: Bool[Tensor, "n 1"], longest: int) -> TokenSequence:
        """With the sinusoids of times, so that tokens of like times know each other.

        Where the set is absent no token counts. A set of one token at most (`longest` is 1) has no
        time. Tokens that do not count become zeros: attention weighs them by 0, and 0 times NaN
        would be NaN.
        """
        counted, tokens = self.counted & present, self.tokens
        if longest > 1:
            tokens = tokens + sinusoids(self.times.where(counted, 0.0), tokens.shape[2])
        return TokenSequence(tokens.where(counted[..., None], 0.0), counted, self.times)
