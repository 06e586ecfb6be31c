"""Bytes of a picture → uint8 RGB on white, upright, at full size.

What is decided here: transparent pictures stand on white, or on black where white would hide them;
of an animation the first picture counts; colour profiles are not applied; 16 bits become 8 by
rounding; SVG is drawn at the size that cleaning keeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.core.errors import Rejected
from pipeline.core.machine.shortage import prove_room
from pipeline.modalities.image import header, svg
from pipeline.modalities.image.opencv import cv2

if TYPE_CHECKING:
    from pipeline.modalities.image.content import Image

# A transparent picture that is nowhere darker than this on white, in grey levels, stands on black.
WHITE = 250
# What no decoder takes more of: bytes a pixel (16 bits and alpha, twice), and whatever the size.
DECODER_BYTES = 24, 32 << 20
# Exif orientation → (transpose first, then flip by OpenCV's code or not at all).
_UPRIGHT = {
    1: (False, None),
    2: (False, 1),
    3: (False, -1),
    4: (False, 0),
    5: (True, None),
    6: (True, 1),
    7: (True, -1),
    8: (True, 0),
}


def decode(data: bytes, max_pixels: int, vector_side: int, vector_seconds: int) -> Image:
    """The picture as uint8 RGB of shape (height, width, 3).

    Parameters
    ----------
    max_pixels:
        Largest width times height, read from the header before anything of that size is allocated.
    vector_side:
        Longer side in pixels at which an SVG is drawn.
    vector_seconds:
        CPU seconds that drawing an SVG may take.

    Raises
    ------
    Rejected
        `empty_file`, `truncated`, `too_many_pixels`, `undecodable`; for SVG also
        `external_reference` and `too_complex`.
    OSError, MemoryError
        This machine is short of memory.
    """
    if not data:
        raise Rejected("empty_file", "the file is empty")
    if svg.looks_like_markup(data):
        drawing = svg.render(data, vector_side, vector_seconds)
        return opaque(_pixels(drawing, vector_side**2))
    found = header.inspect(data)
    if found is None:
        raise Rejected("undecodable", "the file is not a PNG, JPEG, WebP or SVG picture")
    if found.width * found.height > max_pixels:
        raise Rejected(
            "too_many_pixels",
            f"the picture claims {found.width} x {found.height} pixels, "
            f"more than the limit of {max_pixels}",
        )
    return upright(opaque(_pixels(found.pixels, found.width * found.height)), found.orientation)


def _pixels(data: bytes, count: int) -> np.ndarray:
    """OpenCV's own array of about `count` pixels: uint8 grey, BGR or BGRA."""
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None or image.dtype not in (np.uint8, np.uint16):
        each, beside = DECODER_BYTES
        prove_room(count * each + beside)
        raise Rejected("undecodable", "the picture's data is damaged or of an unknown kind")
    if image.dtype == np.uint16:
        image = cv2.convertScaleAbs(image, alpha=1 / 257)
    return image


def opaque(image: np.ndarray) -> Image:
    """Grey, BGR or BGRA → RGB, with transparency laid on white, and white on black.

    255 - (255 - colour) * alpha / 255 in saturating uint8 arithmetic, which rounds as floats do
    and is an order of magnitude faster.
    """
    if image.ndim == 2:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    if image.shape[2] == 3:
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    alpha = cv2.cvtColor(cv2.extractChannel(image, 3), cv2.COLOR_GRAY2BGR)
    colour = cv2.cvtColor(image, cv2.COLOR_BGRA2RGB)
    on_white = cv2.bitwise_not(cv2.multiply(cv2.bitwise_not(colour), alpha, scale=1 / 255))
    if on_white.min() >= WHITE:
        return cv2.multiply(colour, alpha, scale=1 / 255)
    return on_white


def upright(image: Image, orientation: int) -> Image:
    """Undo an Exif orientation (1 to 8), as CIPA DC-008 tag 274 defines it."""
    transposed, flip = _UPRIGHT[orientation]
    if transposed:
        image = cv2.transpose(image)
    return image if flip is None else cv2.flip(image, flip)
