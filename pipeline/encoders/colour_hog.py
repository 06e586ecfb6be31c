"""A picture's colours and its edges, by formula: 1956 numbers without any trained weights.

The first 192 are a joint histogram of hue (12), saturation (4) and value (4), after M. Swain and
D. Ballard, "Color Indexing" (IJCV 1991); the other 1764 are histograms of oriented gradients of
the picture on 64 by 64 pixels, N. Dalal and B. Triggs (CVPR 2005), as OpenCV computes them. One
tells what the other cannot: a tomato from a ball, and a tomato from a lemon.

Both halves have unit length: the histogram through square roots, which makes the inner product of
two the Bhattacharyya coefficient and keeps a large white ground from drowning all else.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.core.options import Options as _Options

if TYPE_CHECKING:
    from pipeline.modalities.image.content import Image

MODALITY = "image"
COST_MS = 0.3
BINS = (12, 4, 4)
COLOURS = 192
SIDE = 64
EDGES = 1764


class Options(_Options):
    """Nothing to choose."""


def shape(options: Options) -> tuple[int, ...]:
    """(1956,)"""
    return (COLOURS + EDGES,)


def weights(options: Options) -> list[Path]:
    """None."""
    return []


class Encoder:
    """Pictures (uint8 RGB, (h, w, 3)) → float32 (n, 1956)."""

    def __init__(self, options: Options) -> None:
        from pipeline.modalities.image.opencv import cv2

        self._hog = cv2.HOGDescriptor((SIDE, SIDE), (16, 16), (8, 8), (8, 8), 9)

    def encode(self, contents: Sequence[Image]) -> tuple[np.ndarray, np.ndarray]:
        """Vectors of shape (n, 1956), and their lengths, all 1."""
        from pipeline.modalities.image.fit import letterbox

        vectors = np.empty((len(contents), COLOURS + EDGES), np.float32)
        for row, image in enumerate(contents):
            vectors[row, :COLOURS] = colours(image)
            edges = np.ravel(self._hog.compute(letterbox(image, SIDE)))
            vectors[row, COLOURS:] = edges / max(float(np.linalg.norm(edges)), 1e-12)
        return vectors, np.ones(len(contents), np.int32)


def colours(image: Image) -> np.ndarray:
    """Square roots of the shares of the pixels in each bin, float32 (192,), of unit length."""
    from pipeline.modalities.image.opencv import cv2

    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    counts = cv2.calcHist([hsv], [0, 1, 2], None, list(BINS), [0, 180, 0, 256, 0, 256])
    shares: np.ndarray = np.sqrt(counts.ravel() / (image.shape[0] * image.shape[1]))
    return shares
