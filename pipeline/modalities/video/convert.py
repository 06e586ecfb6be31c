"""A decoded frame → the picture that is seen: RGB, upright, in its proportions, small."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipeline.modalities.image.opencv import cv2

if TYPE_CHECKING:
    from pipeline.modalities.image.content import Image

# FFmpeg's codes of colour matrices (AVColorSpace) → swscale's.
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
ITU709, ITU601 = 1, 5
# swscale's: by area where pictures shrink. Without colours at full resolution and exact rounding,
# which is the same on every processor, pictures come out darker by a grey level or two.
BICUBIC, AREA, EXACT = 4, 32, 8192 | 262144 | 524288
_TURNS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}


class Picture(NamedTuple):
    """A picture, uint8 RGB within the side that is asked for, and its source's size in pixels."""

    image: Image
    width: int
    height: int


def seen(frame: Any, aspect: Fraction | None, side: int) -> Picture:
    """What a player shows of a frame, its longer side at most `side` pixels.

    Of an interlaced one the field that its first line belongs to.

    Parameters
    ----------
    frame:
        PyAV's.
    aspect:
        Width of a pixel, its height being 1; None or 0 where nothing says it.
    """
    aspect = aspect if aspect and aspect > 0 else Fraction(1)
    width, height = frame.width * max(aspect, Fraction(1)), frame.height / min(aspect, Fraction(1))
    size = _within(width, height, side)
    if frame.interlaced_frame:
        image = _resized(_rgb(frame, (frame.width, frame.height))[::2], size)
    else:
        image = _rgb(frame, size)
    turn = round(frame.rotation / 90) * 90 % 360
    if turn:
        image = cv2.rotate(np.ascontiguousarray(image), _TURNS[turn])
    if turn % 180:
        width, height = height, width
    return Picture(image, round(width), round(height))


def opaque(rgba: Image, side: int) -> Picture:
    """A picture, uint8 RGBA, on white, its longer side at most `side` pixels."""
    height, width = rgba.shape[:2]
    size = _within(Fraction(width), Fraction(height), side)
    return Picture(_resized(_on_white(rgba), size), width, height)


def alike(pictures: Iterator[tuple[int, Picture]]) -> Iterator[tuple[int, Picture]]:
    """Pictures with their times, all of the first one's size, as a window keeps its own."""
    size = None
    for time, picture in pictures:
        size = size or picture.image.shape[1::-1]
        yield time, picture._replace(image=_resized(picture.image, size))


def _within(width: Fraction, height: Fraction, side: int) -> tuple[int, int]:
    shrink = min(Fraction(1), Fraction(side) / max(width, height))
    return max(1, round(width * shrink)), max(1, round(height * shrink))


def _resized(image: Image, size: tuple[int, int]) -> Image:
    rows, columns = image.shape[:2]
    if size != (columns, rows):
        shrinks = size[0] <= columns and size[1] <= rows
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        image = cv2.resize(np.ascontiguousarray(image), size, interpolation=method)
    return image


def _rgb(frame: Any, size: tuple[int, int]) -> Image:
    """A frame as RGB of a size, transparent ones on white.

    Where nothing says which matrix its colours are by, large pictures are BT.709's and small ones
    BT.601's, as players have it.
    """
    has_alpha = any(component.is_alpha for component in frame.format.components)
    is_large = frame.height > 576 or frame.width >= 1280
    shrinks = size[0] < frame.width and size[1] < frame.height
    image: Image = frame.reformat(
        *size,
        format="rgba" if has_alpha else "rgb24",
        src_colorspace=_MATRICES.get(frame.colorspace, ITU709 if is_large else ITU601),
        src_color_range=frame.color_range,
        interpolation=EXACT | (AREA if shrinks else BICUBIC),
        threads=1,
    ).to_ndarray()
    return _on_white(image) if has_alpha else image


def _on_white(rgba: Image) -> Image:
    alpha = cv2.cvtColor(np.ascontiguousarray(rgba[:, :, 3]), cv2.COLOR_GRAY2RGB)
    ground = cv2.bitwise_not(np.ascontiguousarray(rgba[:, :, :3]))
    return cv2.bitwise_not(cv2.multiply(ground, alpha, scale=1 / 255))
