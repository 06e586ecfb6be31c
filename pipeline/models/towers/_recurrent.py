"""A recurrent network over frames in both directions; the mean of its states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from pipeline.models.frames import frame_mean, reverse_frames, token_head
from pipeline.models.tower_options import TowerOptions

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor, nn


class RecurrentOptions(TowerOptions):
    hidden: int = Field(256, ge=1, le=8192, description="units of a state, and of the layer above")
    dropout: float = Field(0.3, ge=0, lt=1, description="share of the hidden layer dropped")


def recurrent(
    unit: type[nn.GRU] | type[nn.LSTM], shape: tuple[int, ...], options: RecurrentOptions
) -> nn.Module:
    """`unit`: nn.GRU or nn.LSTM.

    A state depends on what was before it alone, so padding after the end changes none that counts;
    backwards, a row is turned within its length. Nothing is packed, which torch.export refuses.
    """
    import torch
    from torch import nn

    class Tower(nn.Module):
        step = 1

        def __init__(self) -> None:
            super().__init__()
            hidden = options.hidden
            self.units = nn.ModuleList(unit(shape[1], hidden, batch_first=True) for _ in range(2))
            self.head = token_head(2 * hidden, hidden, options.width, options.dropout)

        def forward(
            self, values: Float[Tensor, "n frames bands"], lengths: Int[Tensor, " n"]
        ) -> Float[Tensor, "n width"]:
            states = self._states(values, lengths)
            token: Tensor = self.head(torch.cat([frame_mean(each, lengths) for each in states], 1))
            return token

        def frames(
            self, values: Float[Tensor, "n frames bands"], lengths: Int[Tensor, " n"]
        ) -> Float[Tensor, "n frames width"]:
            ahead, behind = self._states(values, lengths)
            tokens: Tensor = self.head(torch.cat([ahead, reverse_frames(behind, lengths)], 2))
            return tokens

        def _states(self, values: Tensor, lengths: Tensor) -> list[Tensor]:
            """(n, frames, hidden) of each direction, in the order in which it reads."""
            forward, backward = self.units
            return [forward(values)[0], backward(reverse_frames(values, lengths))[0]]

    return Tower()
