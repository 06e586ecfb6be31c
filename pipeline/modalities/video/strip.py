"""A film from left to right: pictures end to end, each of the middle of its stretch of time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from pipeline.core.media_card import Strip
from pipeline.core.spans import Span, evenly
from pipeline.modalities.image.opencv import cv2
from pipeline.modalities.image.show import webp
from pipeline.modalities.video.content import Clip

if TYPE_CHECKING:
    from pipeline.modalities.image.content import Image

PIECES = 12
# Of a picture, in pixels; what is higher is cut off above and below.
WIDTH, MOST_HEIGHT = 120, 90


def strip(pieces: Iterable[tuple[Span, Clip]], duration: int) -> Strip | None:
    """Twelve pictures, as wide as each other; where there is no piece it is transparent."""
    middles = evenly(duration, PIECES)
    cells: list[Image | None] = [None] * len(middles)
    times: list[int | None] = [None] * len(middles)
    for span, clip in pieces:
        for place, middle in enumerate(middles):
            if span.start <= middle < span.end:
                at = max(0, bisect_right(clip.times, middle - span.start) - 1)
                (picture,) = clip.images([at])
                cells[place], times[place] = picture, span.start + clip.times[at]
    seen = [cell for cell in cells if cell is not None]
    if not seen:
        return None
    rows, columns = seen[0].shape[:2]
    height = min(MOST_HEIGHT, max(1, round(WIDTH * rows / columns)))
    sheet = np.zeros((height, len(cells) * WIDTH, 4), np.uint8)
    for place, cell in enumerate(cells):
        if cell is not None:
            sheet[:, place * WIDTH : (place + 1) * WIDTH, :3] = _covering(cell, height)
            sheet[:, place * WIDTH : (place + 1) * WIDTH, 3] = 255
    return Strip(sheet.shape[1], height, picture=webp(sheet), times=tuple(times))


def _covering(picture: Image, height: int) -> Image:
    """The middle of a picture, WIDTH wide and so high."""
    rows, columns = picture.shape[:2]
    scale = max(WIDTH / columns, height / rows)
    size = max(WIDTH, round(columns * scale)), max(height, round(rows * scale))
    large = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    top, left = (size[1] - height) // 2, (size[0] - WIDTH) // 2
    return large[top : top + height, left : left + WIDTH]
