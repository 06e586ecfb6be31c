"""A small picture as it is, for networks that learn to see: no weights.

All of the picture in its proportions, on a white square (see `letterbox`), from 0 to 1. The square
is a sequence of its rows, each with the pixels' red, green and blue side by side, which is what a
tower `cnn` with `channels: 3` takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from pipeline.core.options import Options as _Options

if TYPE_CHECKING:
    from pipeline.modalities.image.content import Image

MODALITY = "image"
COST_MS = 0.1


class Options(_Options):
    """The resolution."""

    side: int = Field(default=32, ge=4, le=512, description="pixels of a side of the square")


def shape(options: Options) -> tuple[int, ...]:
    """(rows, columns * 3)"""
    return options.side, options.side * 3


def weights(options: Options) -> list[Path]:
    """None."""
    return []


class Encoder:
    """Pictures (uint8 RGB, (h, w, 3)) → float32 (n, side, side * 3) in [0, 1]."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def encode(self, contents: Sequence[Image]) -> tuple[np.ndarray, np.ndarray]:
        """The squares, and their lengths in rows, all `side`."""
        from pipeline.modalities.image.fit import letterbox

        side = self.options.side
        squares = np.empty((len(contents), *shape(self.options)), np.float32)
        for square, image in zip(squares, contents, strict=True):
            square[:] = letterbox(image, side).reshape(side, -1)
        squares /= 255
        return squares, np.full(len(contents), side, np.int32)
