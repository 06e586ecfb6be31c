"""The mean of frames, weighted by what each says of itself.

Gated attention pooling (Ilse et al. 2018, arXiv:1802.04712): hₜ = GELU(W·xₜ + b), its weight the
softmax over frames of v·(tanh(V·hₜ) ⊙ sigmoid(U·hₜ)). It knows no order: frames
count by what is in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from pipeline.models.frames import check_frames, frame_mask, token_head
from pipeline.models.tower_options import TowerOptions

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor, nn

IDS = False


class Options(TowerOptions):
    hidden: int = Field(256, ge=1, le=8192, description="units of a frame, and of the layer above")
    dropout: float = Field(0.3, ge=0, lt=1, description="share of the hidden layer dropped")


def check(shape: tuple[int, ...], options: Options) -> None:
    check_frames(shape)


def build(shape: tuple[int, ...], options: Options) -> nn.Module:
    from torch import nn

    class Tower(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            hidden = options.hidden
            self.enter = nn.Sequential(nn.Linear(shape[1], hidden), nn.GELU())
            self.content = nn.Sequential(nn.Linear(hidden, hidden), nn.Tanh())
            self.gate = nn.Sequential(nn.Linear(hidden, hidden), nn.Sigmoid())
            self.score = nn.Linear(hidden, 1)
            self.head = token_head(hidden, hidden, options.width, options.dropout)

        def forward(
            self, values: Float[Tensor, "n frames bands"], lengths: Int[Tensor, " n"]
        ) -> Float[Tensor, "n width"]:
            from pipeline.models.pooling import softmax

            frames = self.enter(values)
            scores = self.score(self.content(frames) * self.gate(frames))[..., 0]
            weights = softmax(scores, frame_mask(frames.shape[1], lengths)[..., 0])
            token: Tensor = self.head((weights[..., None] * frames).sum(1))
            return token

    return Tower()
