"""A long short-term memory over frames (LSTM).

Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735.
"""

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

        super().__init__(nn.LSTM, shape, options)
