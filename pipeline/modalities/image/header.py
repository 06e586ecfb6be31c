"""What a picture's container says of itself, before a pixel is decoded.

Decoders fill what is missing with grey or black, say so on stderr at most, and allocate whatever
size the header claims. So completeness and size are read here first, and by walking the structure
rather than by searching it: PNG by chunks (with checksums), JPEG by segments to its end marker,
WebP by RIFF chunks. Decoders go by the first size that a file tells; one that tells another further
on is refused, so that no reading of it can be larger than the one that was checked.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.core.errors import Rejected

PNG = b"\x89PNG\r\n\x1a\n"
# A progressive JPEG is decoded once a scan: real ones have about ten.
MAX_SCANS = 100


@dataclass(frozen=True)
class Header:
    """Size in stored pixels, Exif orientation (1 to 8), and the bytes that make the pixels."""

    format: str
    width: int
    height: int
    orientation: int
    pixels: bytes


def inspect(data: bytes) -> Header | None:
    """The header of a PNG, JPEG or WebP file; None if it is none of these.

    Raises
    ------
    Rejected
        `truncated` if the file ends before its picture does; `undecodable` if it contradicts
        itself.
    """
    try:
        if data.startswith(PNG):
            return _png(data)
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
    except (struct.error, IndexError):
        raise Rejected("truncated", "the picture ends before its header does") from None
    return None


def _png(data: bytes) -> Header:
    """Keeps the chunks that make the pixels: others hold text, profiles, times and frames."""
    first, width, height, depth, colour = struct.unpack_from(">4sIIBB", data, 12)
    if first != b"IHDR":
        raise Rejected("undecodable", "the PNG does not begin with its header")
    kept: list[bytes | memoryview] = [PNG]
    orientation = 1
    for kind, body, chunk in _png_chunks(data):
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
                raise Rejected("undecodable", "a part of the PNG does not match its checksum")
            if kind == b"tRNS" and colour == 0 and depth in (1, 2, 4, 8):
                kept[1:] = _palette_of_greys(kept[1], depth, int.from_bytes(body, "big"))
            else:
                kept.append(chunk)
        elif kind == b"eXIf":
            orientation = _orientation(bytes(body))
    return Header("png", width, height, orientation, b"".join(kept))


def _palette_of_greys(header: bytes | memoryview, depth: int, clear: int) -> list[bytes]:
    """A grey PNG's header as that of a palette of all greys, of which one is clear.

    The pixels stay as they are. OpenCV knows a transparent palette entry, but no transparent grey.
    """
    levels = 2**depth
    greys = bytes(255 * level // (levels - 1) for level in range(levels) for _ in range(3))
    alphas = bytes(0 if level == clear else 255 for level in range(levels))
    body = bytearray(header[8:-4])
    body[9] = 3
    return [_png_chunk(b"IHDR", body), _png_chunk(b"PLTE", greys), _png_chunk(b"tRNS", alphas)]


def _png_chunk(kind: bytes, body: bytes | bytearray) -> bytes:
    data = kind + body
    return struct.pack(">I", len(body)) + data + struct.pack(">I", zlib.crc32(data))


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview, memoryview]]:
    view, at, kind = memoryview(data), len(PNG), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise Rejected("truncated", "the PNG ends before its picture does")
        yield kind, view[at + 8 : end - 4], view[at:end]
        at = end


def _jpeg(data: bytes) -> Header:
    at, sizes, orientation, scans = 2, set[tuple[int, int]](), 1, 0
    next_marker = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
    while True:
        found = next_marker.search(data, at)
        if found is None:
            raise Rejected("truncated", "the JPEG ends before its picture does")
        marker, at = data[found.end() - 1], found.end()
        if marker == 0xD9:
            break
        if marker == 0x01:
            continue
        (length,) = struct.unpack_from(">H", data, at)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 3)
            sizes.add((width, height))
        elif marker == 0xE1 and data[at + 2 : at + 8] == b"Exif\0\0":
            orientation = _orientation(data[at + 8 : at + length])
        elif marker == 0xDA:
            scans += 1
        at += length
    if scans > MAX_SCANS:
        raise Rejected("undecodable", f"the JPEG has more than {MAX_SCANS} scans")
    return Header("jpeg", *_only(sizes), orientation, data)


def _webp(data: bytes) -> Header:
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise Rejected("truncated", "the WebP ends before its picture does")
    at, sizes, orientation = 12, set[tuple[int, int]](), 1
    while at + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 8 + length]
        if kind == b"VP8X":
            width, height = (int.from_bytes(body[at : at + 3], "little") for at in (4, 7))
            sizes.add((1 + width, 1 + height))
        elif kind == b"VP8 ":
            width, height = struct.unpack_from("<HH", body, 6)
            sizes.add((width & 0x3FFF, height & 0x3FFF))
        elif kind == b"VP8L":
            (bits,) = struct.unpack_from("<I", body, 1)
            sizes.add((1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)))
        elif kind == b"EXIF":
            orientation = _orientation(body.removeprefix(b"Exif\0\0"))
        at += 8 + length + length % 2
    return Header("webp", *_only(sizes), orientation, data)


def _only(sizes: set[tuple[int, int]]) -> tuple[int, int]:
    if len(sizes) != 1:
        raise Rejected("undecodable", "the picture tells no size, or more than one")
    return sizes.pop()


def _orientation(exif: bytes) -> int:
    """Tag 0x0112 of the first directory of a TIFF block; 1 (upright) where it says nothing."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(f"{order}I", exif, 4)
        (entries,) = struct.unpack_from(f"{order}H", exif, at)
        for entry in range(entries):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, at + 2 + 12 * entry)
            if tag == 0x0112:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1
