"""What kind of file it is, by its first bytes, and whether it ends where its structure says.

The kind chooses the one parser of FFmpeg's that sees the bytes. None of those is a playlist's, so
that no file can name another (m3u8, MPD, concat), and none guesses.
"""

from __future__ import annotations

import re

from pipeline.core.errors import Rejected
from pipeline.core.files.file_bytes import Bytes

# The first bytes, and what FFmpeg calls the parser.
_KINDS = (
    (rb".{4}(ftyp|moov|mdat|wide|free|skip|pnot)", "mov"),
    (rb"\x1a\x45\xdf\xa3", "matroska"),
    (rb"RIFF.{4}AVI ", "avi"),
    (rb"RIFF.{4}WEBP", "webp"),
    (rb"GIF8[79]a", "gif"),
    (rb"OggS", "ogg"),
    (rb"\0\0\x01\xba", "mpeg"),
    (rb"\0\0\x01\xb3", "mpegvideo"),
    (rb"(G.{187}){2}G", "mpegts"),
)
_PATTERNS = tuple((re.compile(start, re.DOTALL), kind) for start, kind in _KINDS)
# So many bytes tell them apart.
HEAD_BYTES = 512
TS_PACKET = 188
# With what a page of Ogg begins, and its bytes at most: its head, its segments' lengths, and these.
OGG, OGG_PAGE = b"OggS", 27 + 255 + 255 * 255


def kind_of(data: Bytes) -> str:
    """What FFmpeg calls the format.

    Raises
    ------
    Rejected
        `empty_file`; `undecodable`: it is none of them; `truncated`: its end is missing.
    """
    if not len(data):
        raise Rejected("empty_file", "the file has no bytes")
    head = data[:HEAD_BYTES]
    for pattern, kind in _PATTERNS:
        if pattern.match(head):
            if kind in _CHECKS:
                _CHECKS[kind](data)
            return kind
    raise Rejected("undecodable", "the bytes are no video in a known container")


def _cut() -> Rejected:
    return Rejected("truncated", "the file ends before its own structure does")


def _check_boxes(data: Bytes) -> None:
    """Boxes of ISO 14496-12, 4.2: size and type, one after the other."""
    at, names = 0, set()
    while at + 8 <= len(data):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if not re.fullmatch(rb"[\x20-\x7e\xa9]{4}", name):
            break  # what follows the last box is no box, and is left alone
        names.add(name)
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        at += max(8, size or len(data) - at)
    if at > len(data):
        raise _cut()
    if b"moov" not in names:
        raise Rejected("truncated", "the file lacks the index of its contents (moov)")


def _check_riff(data: Bytes) -> None:
    if 8 + int.from_bytes(data[4:8], "little") > len(data):
        raise _cut()


def _check_elements(data: Bytes) -> None:
    """EBML (RFC 8794): a header and a segment, whose length may be left open."""
    at = 0
    for _ in range(2):
        width = _vint_width(data, at)
        start = at + width
        width = _vint_width(data, start)
        body = start + width
        size = int.from_bytes(data[start:body], "big") & ((1 << 7 * width) - 1)
        if size == (1 << 7 * width) - 1:
            return
        at = body + size
    if at > len(data):
        raise _cut()


def _vint_width(data: Bytes, at: int) -> int:
    """Bytes of a number whose leading zeros say how many they are."""
    first = data[at : at + 1]
    if not first:
        raise _cut()
    if not first[0]:
        raise Rejected("undecodable", "the file's structure cannot be read")
    return 9 - first[0].bit_length()


def _check_pages(data: Bytes) -> None:
    """Ogg (RFC 3533): the last page is whole."""
    at, end = -1, len(data)
    while at < 0:  # The file begins with a page.
        start = max(0, end - OGG_PAGE)
        at = data[start : end + len(OGG) - 1].rfind(OGG)
        end = start
    page = data[start + at : start + at + OGG_PAGE]
    lengths = page[27 : 27 + page[26]] if len(page) > 26 else b""
    if len(page) < 27 + len(lengths) + sum(lengths):
        raise _cut()


def _check_blocks(data: Bytes) -> None:
    """GIF89a: a head, blocks of at most 255 bytes, and a trailer."""
    data = data[:]
    at = 13 + _colours(data[10:11])
    while at < len(data) and data[at] != 0x3B:
        if data[at] == 0x2C:
            at += 11 + _colours(data[at + 9 : at + 10])
        elif data[at] == 0x21:
            at += 2
        else:
            raise Rejected("damaged", "what stands in the file is no block of a GIF")
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    if at >= len(data):
        raise _cut()


def _colours(flags: bytes) -> int:
    """Bytes of the table of colours that flags announce."""
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0


def _check_packets(data: Bytes) -> None:
    if len(data) % TS_PACKET:
        raise _cut()


_CHECKS = {
    "mov": _check_boxes,
    "matroska": _check_elements,
    "avi": _check_riff,
    "webp": _check_riff,
    "ogg": _check_pages,
    "gif": _check_blocks,
    "mpegts": _check_packets,
}
