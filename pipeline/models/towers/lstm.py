"""A long short-term memory over frames (LSTM).

Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735.
"""

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

    return recurrent(nn.LSTM, shape, options)
