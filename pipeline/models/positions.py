"""Where frames stand in time, as numbers that attention can compare.

The sinusoids of Vaswani et al. 2017 (arXiv:1706.03762), of a frame's place in its sequence or,
where frames bear times, of its seconds: then those that are missing or lie at uneven distances are
as far from each other as they are, and sequences of unlike rates share one axis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

# Seconds by which times are divided, as other numbers are by their deviation: up to ten times as
# long, which is where towers cut numbers off, they are exact to a millisecond.
TIME_SCALE = 1000.0


def positions(count: int, hidden: int) -> Float[Tensor, "{count} {hidden}"]:
    """Those of the first places."""
    import torch

    return sinusoids(torch.arange(count), hidden)


def sinusoids(places: Float[Tensor, "*frames"], hidden: int) -> Float[Tensor, "*frames {hidden}"]:
    """Sines and cosines of geometrically growing wavelengths, of places or seconds."""
    import torch

    rate = 10_000 ** (-torch.arange(0, hidden, 2, device=places.device) / hidden)
    angles = places[..., None] * rate
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(-2)[..., :hidden]
