"""Cross entropies, with label smoothing and focal weights.

The focal loss multiplies an example's cross entropy by (1 - p)^focal, p being the probability of
the truth, so that what is easy counts less (Lin et al. 2017, arXiv:1708.02002); with 0 it is the
cross entropy. Smoothing ε spreads that share of the truth evenly over the classes (Szegedy et al.
2016, arXiv:1512.00567).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def of_classes(logits: Tensor, targets: Tensor, smoothing: float, focal: float) -> Tensor:
    """(n,) from logits (n, classes) and int64 indices (n,); 0 where the index is -1."""
    from torch.nn.functional import cross_entropy

    each = cross_entropy(
        logits, targets, ignore_index=-1, reduction="none", label_smoothing=smoothing
    )
    if focal:
        place = targets.clamp(min=0)[:, None]
        each = each * (1 - logits.softmax(1).gather(1, place)[:, 0]).clamp(min=1e-6) ** focal
    return each


def of_bits(logits: Tensor, bits: Tensor, smoothing: float, focal: float) -> Tensor:
    """The same for yes or no, each by itself: bits, float 0 or 1, have the shape of the logits."""
    from torch.nn.functional import binary_cross_entropy_with_logits

    smooth = bits * (1 - smoothing) + smoothing / 2
    each = binary_cross_entropy_with_logits(logits, smooth, reduction="none")
    if focal:
        wrong = (logits * (1 - 2 * bits)).sigmoid()
        each = each * wrong.clamp(min=1e-6) ** focal
    return each
