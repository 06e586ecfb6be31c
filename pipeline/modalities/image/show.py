"""A picture, made small: WebP, which every browser since 2020 shows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.core.media_card import CardOptions, MediaCard, uri
from pipeline.modalities.image.opencv import cv2

QUALITY = 82


def show(content: npt.NDArray[np.uint8], options: CardOptions) -> MediaCard:
    """RGB (height, width, 3), its longest side at most `options.picture` pixels."""
    height, width = content.shape[:2]
    shrink = min(1.0, options.picture / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    small = content
    if shrink < 1:
        small = np.asarray(cv2.resize(content, size, interpolation=cv2.INTER_AREA), np.uint8)
    return MediaCard(
        picture=webp(small),
        width=size[0],
        height=size[1],
        caption=f"{width} by {height} px",
    )


def webp(rgb: npt.NDArray[np.uint8]) -> str:
    """A data: URI of RGB (height, width, 3), or with its opacity, RGBA."""
    bgr = np.ascontiguousarray(rgb[:, :, [2, 1, 0, 3][: rgb.shape[2]]])
    _, data = cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    return uri("image/webp", data.tobytes())
