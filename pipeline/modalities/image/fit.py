"""Any picture → a square of a given size, as encoders want it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.modalities.image.opencv import cv2

if TYPE_CHECKING:
    from pipeline.modalities.image.content import Image


def letterbox(image: Image, side: int) -> Image:
    """uint8 RGB of shape (side, side, 3): all of the picture in its proportions, on white.

    Scaled by area averaging where it shrinks, bilinearly where it grows.
    """
    height, width = image.shape[:2]
    scale = side / max(height, width)
    columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(image, (columns, rows), interpolation=method)
    left, top = (side - columns) // 2, (side - rows) // 2
    right, bottom = side - columns - left, side - rows - top
    white = (255, 255, 255)
    return cv2.copyMakeBorder(scaled, top, bottom, left, right, cv2.BORDER_CONSTANT, value=white)
