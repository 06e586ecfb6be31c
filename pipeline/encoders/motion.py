"""How a film moves, by formula: 36 numbers of its pictures, their differences and optical flow.

Of each picture the mean and the deviation of its grey levels; of each step from one picture to the
next the mean and the deviation of their difference, and of G. Farnebäck's flow ("Two-Frame Motion
Estimation Based on Polynomial Expansion", 2003, as OpenCV computes it on 64 by 64 pixels): the mean
length, its deviation, the 90th percentile, the mean of both directions, which a camera that pans
has, of the flow away from the middle, which one that zooms has, and the shares of eight directions.
Lengths are in shares of the side, and what moves is told by the second, so that it does not depend
on how many pictures a second were taken. Of all, mean and largest over time are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from pipeline.core.options import Options as Base
from pipeline.core.spans import evenly

if TYPE_CHECKING:
    from pipeline.modalities.image.content import Image
    from pipeline.modalities.video.content import Clip

MODALITY = "video"
COST_MS = 60.0
SIDE = 64
DIRECTIONS = 8
# Flow of fewer pixels is an error of the method's, not a motion.
STILL = 0.05
OF_PICTURE, OF_STEP = 2, 8 + DIRECTIONS


class Options(Base):
    """Of how many pictures."""

    frames: int = Field(
        32, ge=2, le=1000, description="most pictures that are compared, evenly chosen"
    )


def shape(options: Options) -> tuple[int, ...]:
    """(36,)"""
    return (2 * (OF_PICTURE + OF_STEP),)


def weights(options: Options) -> list[Path]:
    """None."""
    return []


class Encoder:
    """Films → float32 (n, 36)."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def encode(self, contents: Sequence[Clip]) -> tuple[np.ndarray, np.ndarray]:
        """Vectors of shape (n, 36), and their lengths, all 1."""
        vectors = np.zeros((len(contents), *shape(self.options)), np.float32)
        for vector, clip in zip(vectors, contents, strict=True):
            places = evenly(len(clip), self.options.frames)
            greys = [small_grey(image) for image in clip.images(places)]
            times = [clip.times[place] for place in places]
            pictures = np.array([(grey.mean() / 255, grey.std() / 255) for grey in greys])
            steps = np.array([
                step(first, second, (later - time) / 1000)
                for (first, second), (time, later) in zip(
                    pairwise(greys), pairwise(times), strict=True
                )
            ]).reshape(-1, OF_STEP)  # fmt: skip
            steps = steps if len(steps) else np.zeros((1, OF_STEP))
            vector[:] = np.concatenate(
                [pictures.mean(0), steps.mean(0), pictures.max(0), steps.max(0)]
            )
        return vectors, np.ones(len(contents), np.int32)


def small_grey(image: Image) -> Image:
    """uint8 (64, 64)."""
    from pipeline.modalities.image.opencv import cv2

    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def step(first: Image, second: Image, seconds: float) -> np.ndarray:
    """What is told of two pictures, uint8 (64, 64), so many seconds apart: float64 (16,)."""
    from pipeline.modalities.image.opencv import cv2

    difference = cv2.absdiff(first, second) / 255
    flow = cv2.calcOpticalFlowFarneback(first, second, None, 0.5, 3, 15, 3, 5, 1.2, 0)  # type: ignore[call-overload]
    flow[np.hypot(flow[:, :, 0], flow[:, :, 1]) < STILL] = 0
    across, down = (flow[:, :, axis].astype(np.float64) / (SIDE * seconds) for axis in (0, 1))
    lengths = np.hypot(across, down)
    from_middle = (np.arange(SIDE) + 0.5) / SIDE - 0.5
    outwards = (across * from_middle + down * from_middle[:, None]).mean()
    turns = np.floor((np.arctan2(down, across) / (2 * np.pi) + 0.5) * DIRECTIONS + 0.5)
    directions = np.bincount(
        turns.astype(np.intp).ravel() % DIRECTIONS, lengths.ravel(), minlength=DIRECTIONS
    )
    return np.array([
        difference.mean(),
        difference.std(),
        lengths.mean(),
        lengths.std(),
        np.percentile(lengths, 90),
        across.mean(),
        down.mean(),
        outwards,
        *directions / max(float(directions.sum()), 1e-12),
    ])  # fmt: skip
