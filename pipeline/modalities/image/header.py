"""What a picture's container says of itself, before a pixel is decoded.

Decoders allocate whatever size the header claims, go by what they meet first, and stop at an end
mark. So size, completeness and all that is said beside the pixels are read here first, by walking
the structure rather than by searching it: PNG by chunks (with checksums), JPEG by segments, WebP by
RIFF chunks. Decoders go by the first size that a file tells; one that tells another further on is
refused, so that no reading of it can be larger than the one that was checked. A missing end mark is
put in place, and the decoder judges whether the picture before it is whole.
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
# Bytes at the end of a WebP's picture without which none that is whole can be decoded.
WEBP_END = 8
MAX_PROFILE = 4 << 20
# A row's filter where it is one of the five that PNG has, else none.
_FILTERS = bytes(kind if kind < 5 else 0 for kind in range(256))
_WEBP_CHUNKS = (b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"EXIF", b"ICCP", b"XMP ")


@dataclass(frozen=True)
class Header:
    """What is known of a picture whose pixels are still to be decoded."""

    format: str
    # Stored pixels.
    width: int
    height: int
    # The bytes that make the pixels.
    pixels: bytes
    # Of the first Exif block that says one (1 to 8): XMP and raw profiles of ImageMagick are not
    # read, as browsers do not.
    orientation: int = 1
    # An ICC profile, as it stands in the file.
    profile: bytes | None = None
    # The grey or the red, green and blue of 16 bits that stand for clear.
    clear: tuple[int, ...] = ()
    # Whether the file ends where its picture does, as far as its structure tells.
    is_ended: bool = True
    # What is wrong with the structure, though there is something to decode.
    damage: str | None = None


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
    clear: tuple[int, ...] = ()
    orientation = profile = damage = kind = None
    for kind, body, chunk in _png_chunks(data):
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
                damage = "a part of the PNG does not match its checksum"
                chunk = memoryview(_png_chunk(bytes(kind), bytes(body)))
            if kind == b"tRNS" and colour == 0 and depth in (1, 2, 4, 8):
                kept[1:] = _palette_of_greys(kept[1], depth, int.from_bytes(body, "big"))
            elif kind == b"tRNS" and colour in (0, 2) and depth == 16:
                clear = struct.unpack(f">{len(body) // 2}H", body)
            else:
                kept.append(chunk)
        elif kind == b"eXIf":
            orientation = orientation or _orientation(bytes(body))
        elif kind == b"iCCP" and profile is None:
            profile = _inflated_profile(bytes(body))
    if len(kept) == 1:
        raise Rejected("truncated", "the PNG ends before its header does")
    if kind != b"IEND":
        kept.append(_png_chunk(b"IEND", b""))
    return Header(
        "png",
        width,
        height,
        b"".join(kept),
        orientation or 1,
        profile,
        clear,
        is_ended=kind == b"IEND",
        damage=damage,
    )


def _inflated_profile(body: bytes) -> bytes | None:
    """The profile of an iCCP chunk: a name, a zero, the method 0, and what zlib deflated."""
    _, _, deflated = body.partition(b"\0")
    try:
        return zlib.decompressobj().decompress(deflated[1:], MAX_PROFILE)
    except zlib.error:
        return None


def mended_png(data: bytes) -> bytes | None:
    """A PNG whose pixels, where they break off, go on as zeros; None if they are whole.

    `data` is a Header's `pixels` of a PNG that a decoder refused. Interlaced ones stay as they are.
    """
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 0)
    stride = 1 + (width * channels * depth + 7) // 8
    size = height * stride
    deflated = [bytes(body) for kind, body, _ in _png_chunks(data) if kind == b"IDAT"]
    inflate, rows = zlib.decompressobj(), bytearray()
    try:
        # In small pieces, so that what stands before a fault comes out.
        stream = b"".join(deflated)
        for at in range(0, len(stream), 64):
            rows += inflate.decompress(stream[at : at + 64], size + 1 - len(rows))
            if len(rows) > size:
                break
    except zlib.error:
        pass
    if not channels or (inflate.eof and len(rows) >= size):
        return None
    if interlaced:
        return data
    rows = rows[:size].ljust(size, b"\0")
    rows[::stride] = rows[::stride].translate(_FILTERS)
    body = zlib.compress(rows, 1)
    kept = [bytes(c) for kind, _, c in _png_chunks(data) if kind not in (b"IDAT", b"IEND")]
    return b"".join([PNG, *kept, _png_chunk(b"IDAT", body), _png_chunk(b"IEND", b"")])


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
    """(kind, body, chunk) up to the end mark, or as far as whole chunks go."""
    view, at, kind = memoryview(data), len(PNG), b""
    while kind != b"IEND" and at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            return
        yield kind, view[at + 8 : end - 4], view[at:end]
        at = end


def _jpeg(data: bytes) -> Header:
    at, sizes, orientation, scans = 2, set[tuple[int, int]](), None, 0
    profile, accuracy = dict[int, bytes](), dict[tuple[int, int], int]()
    components, is_ended, is_progressive = b"", False, False
    next_marker = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
    while (match := next_marker.search(data, at)) is not None:
        marker, at = data[match.end() - 1], match.end()
        if marker == 0xD9:
            is_ended = True
            break
        if marker == 0x01:
            continue
        (length,) = struct.unpack_from(">H", data, at)
        body = data[at + 2 : at + length]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", body, 1)
            sizes.add((width, height))
            components = body[6 : 6 + 3 * body[5] : 3]
            is_progressive = marker in (0xC2, 0xC6, 0xCA, 0xCE)
        elif marker == 0xE1 and body[:6] == b"Exif\0\0":
            orientation = orientation or _orientation(body[6:])
        elif marker == 0xE2 and body[:12] == b"ICC_PROFILE\0" and len(body) > 14:
            profile.setdefault(body[12], body[14:])
        elif marker == 0xDA:
            scans += 1
            accuracy |= _scanned(body, is_progressive)
        at += length
    if not scans and not is_ended:
        raise Rejected("truncated", "the JPEG ends before its picture begins")
    if scans > MAX_SCANS:
        raise Rejected("undecodable", f"the JPEG has more than {MAX_SCANS} scans")
    coded = {(part, k) for part in components for k in (range(64) if is_progressive else (0,))}
    is_whole = all(accuracy.get(key, 1) == 0 for key in coded)
    return Header(
        "jpeg",
        *_only(sizes),
        data if is_ended else data + b"\xff\xd9",
        orientation or 1,
        b"".join(profile[number] for number in sorted(profile)) or None,
        is_ended=is_ended,
        damage=None if is_whole else "scans of the JPEG are missing",
    )


def _scanned(scan: bytes, is_progressive: bool) -> dict[tuple[int, int], int]:
    """(component, coefficient) → bits of accuracy still to come, of the start of a scan."""
    count = scan[0]
    first, last, bits = struct.unpack_from("3B", scan, 1 + 2 * count)
    coefficients = range(first, min(last, 63) + 1) if is_progressive else (0,)
    left = bits & 15 if is_progressive else 0
    return {(part, k): left for part in scan[1 : 1 + 2 * count : 2] for k in coefficients}


def _webp(data: bytes) -> Header:
    at, sizes, kept = 12, set[tuple[int, int]](), list[bytes]()
    orientation = profile = None
    while at + 8 <= len(data) and data[at : at + 4] in _WEBP_CHUNKS:
        kind, length = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 8 + length]
        if len(body) < length:
            break
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
            orientation = orientation or _orientation(body.removeprefix(b"Exif\0\0"))
        elif kind == b"ICCP":
            profile = profile or body
        kept.append(data[at : at + 8] + body + bytes(length % 2))
        at += 8 + length + length % 2
    if not {chunk[:4] for chunk in kept} & {b"VP8 ", b"VP8L", b"ANMF"}:
        whole = at >= 8 + int.from_bytes(data[4:8], "little")
        reason = "undecodable" if whole and at <= len(data) else "truncated"
        raise Rejected(reason, "the WebP ends before its picture does")
    return Header("webp", *_only(sizes), _riff(kept), orientation or 1, profile)


def shortened_webp(data: bytes) -> bytes | None:
    """A still WebP without the last bytes of its picture; None of an animation, or if it has fewer.

    `data` is a Header's `pixels` of a WebP. Encoders leave no more than two bytes unread there.
    """
    kept, at, is_still = list[bytes](), 12, False
    while at < len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 8 + length]
        if kind in (b"VP8 ", b"VP8L"):
            is_still, body = len(body) > WEBP_END, body[:-WEBP_END]
        kept.append(struct.pack("<4sI", kind, len(body)) + body + bytes(len(body) % 2))
        at += 8 + length + length % 2
    return _riff(kept) if is_still else None


def _riff(chunks: list[bytes]) -> bytes:
    size = 4 + sum(map(len, chunks))
    return struct.pack("<4sI4s", b"RIFF", size, b"WEBP") + b"".join(chunks)


def _only(sizes: set[tuple[int, int]]) -> tuple[int, int]:
    if len(sizes) != 1:
        raise Rejected("undecodable", "the picture tells no size, or more than one")
    return sizes.pop()


def _orientation(exif: bytes) -> int | None:
    """Tag 0x0112 of the first directory of a TIFF block; None where it says nothing valid."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return None
    try:
        (at,) = struct.unpack_from(f"{order}I", exif, 4)
        (entries,) = struct.unpack_from(f"{order}H", exif, at)
        for entry in range(entries):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, at + 2 + 12 * entry)
            if tag == 0x0112:
                return value if 1 <= value <= 8 else None
    except struct.error:
        pass
    return None
