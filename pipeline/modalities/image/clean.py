"""Bytes of a picture → RGB on white of a bounded size, and what was measured on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from pipeline.core.errors import Rejected
from pipeline.core.options import Options as _Options

if TYPE_CHECKING:
    from pipeline.modalities.image.content import Image

COST_MS = 5.0
# Times the contrast that is asked, by which a spot stands out.
SPOT = 16

MEASUREMENTS = (
    ("width", "int32"),
    ("height", "int32"),
    ("phash", "string"),
    ("brightness", "float32"),
    ("contrast", "float32"),
)
CUT = None


class Options(_Options):
    """What a clean picture is."""

    max_side: int = Field(
        256, ge=16, le=4096, description="longer side in pixels; larger pictures are scaled down"
    )
    min_side: int = Field(
        4, ge=1, le=4096, description="pixels; pictures with a shorter side are rejected"
    )
    max_aspect: float = Field(
        20.0, ge=1, description="longer ÷ shorter side; pictures above are rejected"
    )
    max_pixels: int = Field(
        64_000_000, ge=1, description="width times height in pixels; larger files are not decoded"
    )
    min_contrast: float = Field(
        1.0,
        ge=0,
        le=127.5,
        description="grey levels, 0 to 255: standard deviation, in the channel where it is "
        "largest, under which a picture without a spot is rejected as blank",
    )
    svg_seconds: int = Field(
        10, ge=1, le=600, description="CPU seconds that drawing one SVG may take"
    )
    damaged: Literal["refuse", "keep"] = Field(
        "refuse",
        description="pictures of which a part is missing or changed; kept ones are as the decoder "
        "makes them up",
    )


def most_bytes(size: int, options: Options) -> int:
    """Bytes that a picture of `size` bytes may take once it is clean."""
    return 3 * options.max_side**2


def clean(
    data: bytes, media_type: str, options: Options
) -> tuple[Image, dict[str, int | float | str]]:
    """The clean picture (uint8 RGB, (h, w, 3), longer side ≤ max_side), and its measurements.

    Width and height are those of the upright source in pixels; for SVG, which has none, of the
    drawing. Brightness and contrast are mean and standard deviation of the clean picture's grey
    levels, 0 to 255. What the file is, its bytes tell; `media_type` may err and is not asked.

    Raises
    ------
    Rejected
        `blank`, `too_small`, `too_elongated`, and what `decode` raises.
    """
    from pipeline.modalities.image.decode import decode
    from pipeline.modalities.image.opencv import cv2
    from pipeline.modalities.image.phash import phash

    source = decode(
        data,
        options.max_pixels,
        options.max_side,
        options.svg_seconds,
        keep_damaged=options.damaged == "keep",
    )
    height, width = source.shape[:2]
    if min(height, width) < options.min_side:
        raise Rejected(
            "too_small",
            f"the picture is {width} x {height} pixels; the shorter side must have "
            f"{options.min_side}",
        )
    if max(height, width) > options.max_aspect * min(height, width):
        raise Rejected(
            "too_elongated",
            f"the picture is {width} x {height} pixels, more elongated than "
            f"{options.max_aspect:g} to 1",
        )
    image = bounded(source, options.max_side)
    if _is_blank(image, options.min_contrast):
        raise Rejected("blank", "the picture shows one plain colour, but for noise")
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    mean, deviation = cv2.meanStdDev(grey)
    return image, {
        "width": width,
        "height": height,
        "phash": phash(grey),
        "brightness": float(mean[0, 0]),
        "contrast": float(deviation[0, 0]),
    }


def _is_blank(image: Image, min_contrast: float) -> bool:
    """Whether no channel deviates as much as is asked, nor holds a spot that noise would not make.

    A spot may be too small to weigh in a deviation, but it reaches many times as far.
    """
    from pipeline.modalities.image.opencv import cv2

    mean, deviation = cv2.meanStdDev(image)
    if float(deviation.max()) >= min_contrast:
        return False
    farthest = max(np.abs(image.max((0, 1)) - mean[:, 0]).max(), *(mean[:, 0] - image.min((0, 1))))
    return bool(farthest < SPOT * min_contrast)


def bounded(image: Image, side: int) -> Image:
    """Scaled down by area averaging so that the longer side is at most `side` pixels."""
    from pipeline.modalities.image.opencv import cv2

    height, width = image.shape[:2]
    longer = max(height, width)
    if longer <= side:
        return image
    size = max(1, round(width * side / longer)), max(1, round(height * side / longer))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
