"""A gated recurrent unit over frames (Cho et al. 2014, arXiv:1406.1078)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.models.frames import check_frames
from pipeline.models.towers._recurrent import RecurrentOptions, recurrent

if TYPE_CHECKING:
    from torch import nn

IDS = False


class Options(RecurrentOptions):
    """As those of every recurrent network."""


def check(shape: tuple[int, ...], options: Options) -> None:
    check_frames(shape)


def build(shape: tuple[int, ...], options: Options) -> nn.Module:
    from torch import nn

    return recurrent(nn.GRU, shape, options)
