"""GIF, BMP, TIFF, JPEG 2000 and AVIF by Pillow, and HEIC by pi-heif (an extra).

Pillow reads a file's head first and its pixels when asked, and raises where they break off.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as pillow
from PIL import ImageFile

from pipeline.core.errors import PipelineError, Rejected
from pipeline.modalities.image import colour
from pipeline.modalities.image.opencv import cv2

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

# The size is checked by who asks, with a limit of their own.
pillow.MAX_IMAGE_PIXELS = None

FORMATS = ("GIF", "BMP", "TIFF", "JPEG2000", "AVIF")
_BEGINNINGS = (
    b"GIF8",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
    b"\xff\x4f\xff\x51",
    b"\0\0\0\x0cjP  \r\n\x87\n",
)
_HEIF = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
ORIENTATION = 0x0112
BITS_PER_SAMPLE = 258


def open_picture(data: bytes) -> Picture | None:
    """The head of a picture in one of the formats; None if it is none of them.

    Raises
    ------
    Rejected
        `undecodable`: it begins as one, and its head cannot be read.
    PipelineError
        It is HEIC, and pi-heif is not installed.
    """
    formats = list(FORMATS)
    if data[4:8] == b"ftyp":
        if b"avif" not in _brands(data) and not _brands(data).isdisjoint(_HEIF):
            _register_heif()
            formats = ["HEIF"]
        elif b"avif" not in _brands(data):
            return None
    elif not data.startswith(_BEGINNINGS):
        return None
    with _reading("undecodable", "the picture's head cannot be read"):
        return pillow.open(io.BytesIO(data), formats=formats)


def pixels(picture: Picture, data: bytes, keep_damaged: bool) -> np.ndarray:
    """Of the first picture: uint8 or uint16, grey, BGR or BGRA.

    Raises
    ------
    Rejected
        `damaged`: its data breaks off, or is not what its format says; `undecodable`: samples of
        more than 16 bits, or no whole numbers.
    """
    before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, keep_damaged
    try:
        with _reading("damaged", "a part of the picture's data is missing or changed"):
            picture.load()
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before
    if picture.mode in ("RGB", "RGBA") and max(_bits(picture)) == 16:
        # Pillow has no colours of 16 bits and drops the lower half, which may hold all.
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if image is not None and image.dtype == np.uint16:
            return image
    if picture.mode.startswith("I;16"):
        return np.asarray(picture).astype(np.uint16)
    if picture.mode in ("I", "F"):
        raise Rejected("undecodable", "the picture's samples are no whole numbers of 1 to 16 bits")
    if picture.mode == "CMYK" and (image := _by_profile(picture)) is not None:
        return image
    if picture.has_transparency_data:
        return cv2.cvtColor(np.asarray(picture.convert("RGBA")), cv2.COLOR_RGBA2BGRA)
    if picture.mode in ("1", "L"):
        return np.asarray(picture.convert("L"))
    return cv2.cvtColor(np.asarray(picture.convert("RGB")), cv2.COLOR_RGB2BGR)


def inks(jpeg: bytes) -> np.ndarray | None:
    """BGR of a whole JPEG of four inks by its own profile; None where that is of no use."""
    with _reading("undecodable", "the picture's data is damaged or of an unknown kind"):
        picture = pillow.open(io.BytesIO(jpeg), formats=["JPEG"])
        picture.load()
    return _by_profile(picture) if picture.mode == "CMYK" else None


def _by_profile(picture: Picture) -> np.ndarray | None:
    stated = profile(picture)
    image = colour.to_srgb(np.asarray(picture), stated) if stated else None
    return None if image is None or image.shape[2] != 3 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)


def profile(picture: Picture) -> bytes | None:
    """The ICC profile as it stands in the file."""
    return picture.info.get("icc_profile") or None


def orientation(picture: Picture) -> int:
    """1 to 8, of Exif or of TIFF's own tag; formats that turn the picture themselves say 1."""
    exif = pillow.Exif()
    if picture.format == "TIFF":
        value = picture.tag_v2.get(ORIENTATION)  # type: ignore[attr-defined]
    else:
        try:
            exif.load(picture.info.get("exif", b""))
        except (SyntaxError, ValueError, struct.error, OSError):
            return 1
        value = exif.get(ORIENTATION)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _bits(picture: Picture) -> tuple[int, ...]:
    tags = getattr(picture, "tag_v2", {})
    return tuple(tags.get(BITS_PER_SAMPLE, ())) or (8,)


def _brands(data: bytes) -> set[bytes]:
    """Of an ISO base media file: what its first box says that it can be read as."""
    end = min(int.from_bytes(data[:4], "big"), len(data), 256)
    return {data[at : at + 4] for at in (8, *range(16, end - 3, 4))}


def _register_heif() -> None:
    try:
        import pi_heif
    except ImportError:
        raise PipelineError(
            "a picture is in HEIC, which takes pi-heif: pip install 'multimodal-pipeline[heic]'"
        ) from None
    pi_heif.register_heif_opener()


@contextmanager
def _reading(reason: str, message: str) -> Iterator[None]:
    """Whatever Pillow raises over a file's bytes is a reject, unless the machine fell short."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except MemoryError:
        raise
    except Exception:
        raise Rejected(reason, message) from None
