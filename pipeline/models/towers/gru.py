"""A gated recurrent unit over frames (Cho et al. 2014, arXiv:1406.1078)."""

from __future__ import annotations

from pipeline.models.frames import check_frames
from pipeline.models.recurrent import Recurrent, RecurrentOptions

IDS = False


class Options(RecurrentOptions):
    """As those of every recurrent network."""


def check(shape: tuple[int, ...], options: Options) -> None:
    check_frames(shape)


class Tower(Recurrent):
    def __init__(self, shape: tuple[int, ...], options: Options) -> None:
        from torch import nn

        super().__init__(nn.GRU, shape, options)
