"""Bytes of a picture → uint8 RGB on white, upright, at full size.

What is decided here: transparent pictures stand on white, or on black where white would hide them;
of an animation the first picture counts; colours of an ICC profile become sRGB, while a bare gamma
is not applied; samples of 16 bits become 8 by rounding, of which no more than 12 are in use by what
these hold; SVG is drawn at the size that cleaning keeps; what a decoder had to make up is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.core.errors import Rejected
from pipeline.core.machine.shortage import prove_room
from pipeline.modalities.image import colour, header, pillow, svg
from pipeline.modalities.image.opencv import cv2

if TYPE_CHECKING:
    from pipeline.modalities.image.content import Image

# A transparent picture that is nowhere darker than this on white, in grey levels, stands on black.
WHITE = 250
# What no decoder takes more of: bytes a pixel (16 bits and alpha, twice), and whatever the size.
DECODER_BYTES = 24, 32 << 20
# Largest samples of 8, 10, 12 and 16 bits.
FULL_SCALES = 255, 1023, 4095, 65_535
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


def decode(
    data: bytes,
    max_pixels: int,
    vector_side: int,
    vector_seconds: int,
    keep_damaged: bool = False,
) -> Image:
    """The picture as uint8 RGB of shape (height, width, 3).

    Parameters
    ----------
    max_pixels:
        Largest width times height, read from the header before anything of that size is allocated.
    vector_side:
        Longer side in pixels at which an SVG is drawn.
    vector_seconds:
        CPU seconds that drawing an SVG may take.
    keep_damaged:
        Whether a picture is kept of which a part is missing or changed, as decoders make it up.

    Raises
    ------
    Rejected
        `empty_file`, `truncated`, `damaged`, `too_many_pixels`, `undecodable`; for SVG also
        `external_reference` and `too_complex`.
    OSError, MemoryError
        This machine is short of memory.
    """
    if not data:
        raise Rejected("empty_file", "the file is empty")
    if svg.looks_like_markup(data):
        if svg.is_page(data):
            raise Rejected("undecodable", "the file is an HTML page, not a picture")
        drawing = svg.render(data, vector_side, vector_seconds)
        return opaque(_by_opencv(drawing, vector_side**2))
    head = header.inspect(data)
    if head is None:
        return _of_pillow(data, max_pixels, keep_damaged)
    _check_size(head.width, head.height, max_pixels)
    if head.damage and not keep_damaged:
        raise Rejected("damaged" if head.is_ended else "truncated", head.damage)
    image = _pixels(head, keep_damaged)
    return upright(_rgb(_eight_bits(image, head.clear), head.profile), head.orientation)


def _of_pillow(data: bytes, max_pixels: int, keep_damaged: bool) -> Image:
    picture = pillow.open_picture(data)
    if picture is None:
        raise Rejected("undecodable", "the file is not a picture of a known format")
    _check_size(*picture.size, max_pixels)
    _prove_room(picture.width * picture.height)
    image = _eight_bits(pillow.pixels(picture, data, keep_damaged))
    return upright(_rgb(image, pillow.profile(picture)), pillow.orientation(picture))


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if not width or not height:
        raise Rejected("undecodable", f"the picture claims {width} x {height} pixels")
    if width * height > max_pixels:
        raise Rejected(
            "too_many_pixels",
            f"the picture claims {width} x {height} pixels, more than the limit of {max_pixels}",
        )


def _pixels(head: header.Header, keep_damaged: bool) -> np.ndarray:
    """Grey, BGR or BGRA as it stands in the file; inks (C, M, Y, K) where a profile is for them."""
    count = head.width * head.height
    if head.format == "jpeg":
        return _of_jpeg(head, count, keep_damaged)
    try:
        image = _by_opencv(head.pixels, count)
        if head.format == "webp" and not keep_damaged and _leaves_data(head):
            raise _incomplete(head)
        return image
    except Rejected:
        mended = header.mended_png(head.pixels) if head.format == "png" else None
        if mended is None:
            raise
        if not keep_damaged:
            raise _incomplete(head) from None
        return _by_opencv(mended, count)


def _leaves_data(head: header.Header) -> bool:
    """Whether a WebP's picture is complete before its data is used up, as it is of changed bytes.

    WebP has no checksum, and libwebp does not tell how far it read: whole files cannot be decoded
    without their last bytes.
    """
    shortened = header.shortened_webp(head.pixels)
    try:
        return shortened is not None and _read(shortened) is not None
    except cv2.error:
        return False


def _incomplete(head: header.Header) -> Rejected:
    if not head.is_ended:
        return Rejected("truncated", "the file ends before its picture does")
    return Rejected("damaged", "a part of the picture's data is missing or changed")


def _of_jpeg(head: header.Header, count: int, keep_damaged: bool) -> np.ndarray:
    """Grey or BGR by libjpeg-turbo, whose warnings are heard; its pixels are OpenCV's."""
    import simplejpeg

    try:
        _, _, stored, _ = simplejpeg.decode_jpeg_header(head.pixels)
    except ValueError:
        return _by_opencv(head.pixels, count)
    space = {"Gray": "GRAY", "CMYK": "CMYK", "YCCK": "CMYK"}.get(stored, "BGR")
    try:
        image: np.ndarray = simplejpeg.decode_jpeg(head.pixels, space, strict=not keep_damaged)
    except ValueError:
        _prove_room(count)
        raise _incomplete(head) from None
    if space == "CMYK":
        by_profile = pillow.inks(head.pixels) if head.profile else None
        return _by_opencv(head.pixels, count) if by_profile is None else by_profile
    return image[:, :, 0] if space == "GRAY" else image


def _by_opencv(data: bytes, count: int) -> np.ndarray:
    """OpenCV's own array of about `count` pixels: uint8 or uint16, grey, BGR or BGRA."""
    try:
        image = _read(data)
    except cv2.error:
        image = None
    if image is None or image.dtype not in (np.uint8, np.uint16):
        _prove_room(count)
        raise Rejected("undecodable", "the picture's data is damaged or of an unknown kind")
    return image


def _read(data: bytes) -> np.ndarray | None:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def _prove_room(count: int) -> None:
    each, beside = DECODER_BYTES
    prove_room(count * each + beside)


def _eight_bits(image: np.ndarray, clear: tuple[int, ...] = ()) -> np.ndarray:
    """Samples as uint8, of 16 bits by rounding; what equals `clear` becomes transparent.

    Cameras and scanners keep 10 or 12 bits in 16: where no sample of a picture, alpha among them,
    needs more than 12, full scale is that of the fewest of 8, 10 and 12 that hold all.
    """
    if image.dtype == np.uint8:
        return image
    levels = next(top for top in FULL_SCALES if image.max() <= top)
    samples = cv2.convertScaleAbs(image, alpha=255 / levels)
    if not clear:
        return samples
    if image.ndim == 2:
        alpha = np.where(image == clear[0], 0, 255).astype(np.uint8)
        samples = cv2.cvtColor(samples, cv2.COLOR_GRAY2BGR)
    else:
        is_clear = (image == np.array(clear[::-1], np.uint16)).all(axis=2)
        alpha = np.where(is_clear, 0, 255).astype(np.uint8)
    return np.dstack([samples, alpha])


def _rgb(image: np.ndarray, profile: bytes | None) -> Image:
    """Grey, BGR or BGRA, in the profile's colours if there is one → sRGB on white."""
    if profile is None:
        return opaque(image)
    if image.ndim == 2:
        converted = colour.to_srgb(image, profile)
        return converted if converted.ndim == 3 else opaque(image)
    rgb = colour.to_srgb(cv2.cvtColor(image[:, :, :3], cv2.COLOR_BGR2RGB), profile)
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    return opaque(bgr if image.shape[2] == 3 else np.dstack([bgr, image[:, :, 3]]))


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
    rgb = cv2.cvtColor(image, cv2.COLOR_BGRA2RGB)
    on_white = cv2.bitwise_not(cv2.multiply(cv2.bitwise_not(rgb), alpha, scale=1 / 255))
    if on_white.min() >= WHITE:
        return cv2.multiply(rgb, alpha, scale=1 / 255)
    return on_white


def upright(image: Image, orientation: int) -> Image:
    """Undo an Exif orientation (1 to 8), as CIPA DC-008 tag 274 defines it."""
    transposed, flip = _UPRIGHT[orientation]
    if transposed:
        image = cv2.transpose(image)
    return image if flip is None else cv2.flip(image, flip)
