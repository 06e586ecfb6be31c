"""Black bars around a film's picture, of one extent over all of it.

A bar is told from darkness by three things: it stays where it is, it has its like on the other
side, and the picture begins along a straight line. Whatever shines within it, such as subtitles, is
picture, and keeps it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pipeline.modalities.image.content import Image

# Grey level (0 to 255) above which something is seen.
DARK = 32
# Shares of a side: by which bars may differ, and the narrowest that counts.
TOLERANCE, NARROWEST = 0.01, 0.02
# Of the line at which a picture begins, the share that is to be seen; and of the pictures that show
# something, the share that begins at the bars.
STRAIGHT, AGREE = 0.4, 0.5
# Pictures that must show something.
FEWEST = 3


class Bars(NamedTuple):
    """Shares of the height, above and below each, and of the width, left and right each."""

    height: float
    width: float

    @property
    def kept(self) -> tuple[float, float]:
        """Shares of height and width between them."""
        return 1 - 2 * self.height, 1 - 2 * self.width

    def cut(self, image: Image) -> Image:
        """The picture between them, without lines of which a bar has a part."""
        rows, columns = image.shape[:2]
        above, left = (
            math.ceil(round(share * size, 3))
            for share, size in ((self.height, rows), (self.width, columns))
        )
        between: Image = image[above : rows - above, left : columns - left]
        return np.ascontiguousarray(between)


def find_bars(pictures: Iterable[Image]) -> Bars:
    """Those of a film, of which some pictures are seen: uint8 RGB of one size."""
    from pipeline.modalities.image.opencv import cv2

    greys = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures)
    seen = [np.asarray(grey > DARK) for grey in greys]
    shining = [picture for picture in seen if picture.any()]
    if len(shining) < FEWEST:
        return Bars(0.0, 0.0)
    return Bars(_bar(shining), _bar([picture.T for picture in shining]))


def _bar(pictures: list[npt.NDArray[np.bool_]]) -> float:
    """Share of the height of a bar above, and of one below; `pictures` say what is seen."""
    height = len(pictures[0])
    slack = max(1, round(TOLERANCE * height))
    edges = np.array([_edges(picture) for picture in pictures])
    above, below = edges.min(axis=0)
    if abs(above - below) > slack or min(above, below) < NARROWEST * height:
        return 0.0
    shows_bars = [
        (edge <= np.array([above, below]) + slack).all() and _is_straight(picture, slack)
        for picture, edge in zip(pictures, edges, strict=True)
    ]
    return float(max(above, below) / height) if np.mean(shows_bars) >= AGREE else 0.0


def _edges(picture: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Lines above and below in which nothing is seen."""
    rows: npt.NDArray[np.bool_] = np.asarray(picture.any(axis=1))
    return int(rows.argmax()), int(rows[::-1].argmax())


def _is_straight(picture: npt.NDArray[np.bool_], slack: int) -> bool:
    """Whether both edges are lines, rather than where something round or pointed begins."""
    above, below = _edges(picture)
    last = len(picture) - 1 - below
    lines = picture[above : above + slack + 1], picture[last - slack : last + 1]
    return all(line.any(axis=0).mean() >= STRAIGHT for line in lines)
