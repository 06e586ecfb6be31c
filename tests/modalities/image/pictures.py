"""Small pictures, and files of them written by hand where no library writes such."""

from __future__ import annotations

import struct
import zlib

from pipeline.modalities.image.examples import SVG, encoded, scene, svg

__all__ = ["SVG", "encoded", "scene", "svg"]


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
