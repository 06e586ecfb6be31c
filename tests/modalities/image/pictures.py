"""Small pictures, and files of them written by hand where no library writes such."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from pipeline.modalities.image.opencv import cv2

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink"'


def scene(height: int = 40, width: int = 60) -> np.ndarray:
    """RGB, no two quarters alike: red, green, blue and a ramp of grey."""
    picture = np.zeros((height, width, 3), np.uint8)
    top, left = height // 2, width // 2
    picture[:top, :left] = (220, 30, 20)
    picture[:top, left:] = (20, 200, 40)
    picture[top:, :left] = (30, 40, 210)
    picture[top:, left:] = np.linspace(0, 255, width - left, dtype=np.uint8)[None, :, None]
    return picture


def encoded(picture: np.ndarray, extension: str, *flags: int) -> bytes:
    """A file of an RGB or RGBA picture, by OpenCV."""
    code = cv2.COLOR_RGBA2BGRA if picture.shape[2] == 4 else cv2.COLOR_RGB2BGR
    return cv2.imencode(extension, cv2.cvtColor(picture, code), flags)[1].tobytes()


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, colour: int, row: bytes, *extra: bytes) -> bytes:
    """A PNG of equal rows; `extra` are chunks that stand before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            *extra,
            chunk(b"IDAT", zlib.compress((b"\0" + row) * height)),
            chunk(b"IEND", b""),
        ]
    )


def exif(orientation: int, order: str = ">") -> bytes:
    """A TIFF block that holds nothing but an orientation."""
    start = {">": b"MM", "<": b"II"}[order] + struct.pack(f"{order}HI", 42, 8)
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    return start + struct.pack(f"{order}H", 1) + entry + bytes(4)


def with_exif(jpeg: bytes, block: bytes) -> bytes:
    """A JPEG with an Exif segment put in front."""
    body = b"Exif\0\0" + block
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def svg(body: str, attributes: str = 'viewBox="0 0 100 50"') -> bytes:
    """An SVG of 100 by 50 units."""
    return SVG + f" {attributes}>{body}</svg>".encode()
