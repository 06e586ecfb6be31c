"""What each set says of the classes, joined by weights over the sets that are there."""

from __future__ import annotations

import torch
from torch import Tensor


def equal(present: Tensor) -> Tensor:
    """Weights (n, sets), equal over the present sets: they sum to 1, to 0 if there are none."""
    return present / present.sum(1, keepdim=True).clamp(min=1)


def softmax(scores: Tensor, present: Tensor) -> Tensor:
    """Weights (n, sets) as softmax of scores over the present sets; 0 if there are none.

    scores: (sets,), the same for every row, or (n, sets), of any floating type.
    """
    return _masked(scores.expand_as(present), present).softmax(1) * present


def linear(logits: Tensor, present: Tensor, weights: Tensor) -> Tensor:
    """Log-probabilities (n, classes) of the weighted mean of the sets' probabilities.

    The linear opinion pool (Stone 1961, doi:10.1214/aoms/1177704873). logits: (n, sets, classes);
    present: bool (n, sets); weights: (n, sets). A row with no set is uniform. The sum is taken of
    logarithms, so that no probability is rounded to 0.
    """
    mask = present[..., None]
    each = logits.where(mask, 0.0).log_softmax(2)
    pooled = _masked(each + weights.clamp(min=1e-30).log()[..., None], mask)
    joined = pooled.logsumexp(1).where(present.any(1, keepdim=True), 0.0)
    return joined.log_softmax(1)


def logarithmic(logits: Tensor, present: Tensor, weights: Tensor) -> Tensor:
    """Log-probabilities (n, classes) of the weighted geometric mean of the sets' probabilities.

    The logarithmic opinion pool (Genest & Zidek 1986, doi:10.1214/ss/1177013825), with arguments as
    those of `linear`. A row with no set is uniform.
    """
    mask = present[..., None]
    each = logits.where(mask, 0.0).log_softmax(2) * mask
    return (each * weights[..., None]).sum(1).log_softmax(1)


def _masked(scores: Tensor, mask: Tensor) -> Tensor:
    """The least number there is where nothing is shown: a softmax of nothing but -inf is NaN."""
    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
