"""Features are joined before any tower: standardised, side by side, then one tower over them all.

Early fusion as Snoek, Worring & Smeulders 2005 tell it from late (doi:10.1145/1101149.1101236).
Where a set is absent, zeros stand, the mean of what training saw; a flag a set says which are
there. A set of frames enters by the mean of its frames, since frames of unlike sets don't align.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pipeline.options
from pipeline import registry
from pipeline.models.tower_options import TOWERS, TowerOptions

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

EARLY = True


class Options(pipeline.options.Options):
    """There is nothing to choose: the tower is the model's."""


class Fusion:
    """Unlike others it is made with the width of each set, and with the tower to put on top."""

    def __init__(self, widths: Sequence[int], tower: TowerOptions, options: Options) -> None:
        self.width = tower.width
        module = registry.load(TOWERS, tower.kind)
        self.tower = module.Tower((sum(widths) + len(widths),), tower)
        self.layers = self.tower.layers

    def fuse(
        self, tokens: Sequence[Float[Tensor, "n _"]], present: Bool[Tensor, "n sets"]
    ) -> Float[Tensor, "n width={self.width}"]:
        """Each set comes in its own width."""
        import torch

        shown = [one.where(present[:, i : i + 1], 0.0) for i, one in enumerate(tokens)]
        joined = torch.cat([*shown, present.to(shown[0].dtype)], 1)
        row: Tensor = self.tower.read(joined, present.sum(1))
        return row
