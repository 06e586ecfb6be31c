"""A perceptual hash: pictures that look alike have hashes that differ in few bits.

C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010), as pHash
has it: grey, smoothed by a 7 by 7 mean, 32 by 32 pixels, cosine transform, the 8 by 8 lowest
frequencies without the constant row and column, one bit each for being above their median.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.modalities.image.opencv import cv2

if TYPE_CHECKING:
    from pipeline.modalities.image.content import Image


def phash(grey: Image) -> str:
    """16 hexadecimal digits (64 bits, lowest frequency first) of a uint8 picture (h, w)."""
    smooth = cv2.blur(grey, (7, 7))
    small = cv2.resize(smooth, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[1:9, 1:9].ravel()
    return np.packbits(low > np.median(low)).tobytes().hex()
