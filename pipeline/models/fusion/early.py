"""Features are joined before any tower: standardised, side by side, then one tower over them all.

Early fusion as Snoek, Worring & Smeulders 2005 tell it from late (doi:10.1145/1101149.1101236).
Where a set is absent, zeros stand, the mean of what training saw; one flag per set says which
are there. A set of frames enters by the mean of its frames, since frames of unlike sets don't
align.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.models.fusion._plain import NoOptions, any_sets
from pipeline.models.tower_options import TowerOptions

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor, nn

LEVEL = "features"
Options = NoOptions  # the tower is the model's
check = any_sets


def build(widths: Sequence[int], tower: TowerOptions, options: Options) -> nn.Module:
    """It is made with the width of each set, and with the tower to put on top."""
    import torch
    from torch import nn

    class Fusion(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.width = tower.width
            self.tower = tower.build((sum(widths) + len(widths),))

        def forward(
            self, tokens: Sequence[Float[Tensor, "n _"]], present: Bool[Tensor, "n sets"]
        ) -> Float[Tensor, "n width={self.width}"]:
            """Each set comes in its own width."""
            filled = [
                features.where(present[:, i : i + 1], 0.0) for i, features in enumerate(tokens)
            ]
            joined = torch.cat([*filled, present.to(filled[0].dtype)], 1)
            row: Tensor = self.tower(joined, present.sum(1))
            return row

    return Fusion()
