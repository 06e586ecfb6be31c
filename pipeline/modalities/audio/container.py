"""Where the sound in a file begins and ends, found by walking the file.

Decoders stop where a header says that the sound ends, and headers err: a writer that streams puts
a placeholder, two files joined end to end keep the first one's header, a header is copied or never
brought up to date. So the structure is walked to the end of the file here, and the sound is cut
into pieces that a decoder reads whole, each with a header that agrees with what follows it.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import Rejected
from pipeline.modalities.audio import mpeg

# From this size on, a 32-bit size is a writer's placeholder, not a promise.
STREAMED = 0x7FFF_0000
MAX_PIECES = 100
# Codecs of WAV: whole numbers, floating point, A-law and µ-law, whose samples stand by themselves.
PLAIN, EXTENSIBLE = (1, 3, 6, 7), 0xFFFE
# What stands before or after the sound of any format and is none of it.
_TAG = re.compile(rb"TAG|ID3|APETAGEX|LYRICSBEGIN|3DI")
_BEGINNINGS = (b"RIFF", b"RF64", b"BW64", b"FORM", b".snd", b"caff", b"riff", b"fLaC", b"OggS")
_FLAC = re.compile(rb"fLaC[\0\x80]\0\0\x22")
FLAC_HEADER_BYTES = 42
# What may follow a chunk that its writer forgot to pad.
_UNPADDED = (b"data", b"fmt ", b"fact", b"LIST", b"SSND", b"COMM", b"PEAK", *_BEGINNINGS)
# Bits of a byte in opposite order, for Ogg's checksum.
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True)
class _Layout:
    """A format of chunks: how long its head is, how names and sizes are written, which is sound."""

    head: int
    name_bytes: int
    size: struct.Struct
    sound: bytes
    padded_to: int = 2
    size_counts_header: bool = False

    @property
    def header(self) -> int:
        return self.name_bytes + self.size.size


_LITTLE = _Layout(12, 4, struct.Struct("<I"), b"data")
_BIG = _Layout(12, 4, struct.Struct(">I"), b"SSND")
_CAF = _Layout(8, 4, struct.Struct(">Q"), b"data", padded_to=1)
_W64 = _Layout(40, 16, struct.Struct("<Q"), b"data", padded_to=8, size_counts_header=True)


def pieces(data: bytes, depth: int = 1) -> list[bytes]:
    """The sound files that a file is made of, one unless some were joined, each whole.

    Raises
    ------
    Rejected
        `truncated`: the file ends before its own structure does; `damaged`: a checksum differs, or
        what is no sound stands within the sound; `too_complex`: more than MAX_PIECES.
    """
    data = data[mpeg.tag_end(data) :] if data[:3] == b"ID3" else data
    if data[:4] == b"OggS":
        return _ogg(data)
    if _FLAC.match(data):
        starts = [match.start() for match in _FLAC.finditer(data)]
        ends = [*starts[1:], len(data)]
        if any(end - at < FLAC_HEADER_BYTES for at, end in zip(starts, ends, strict=True)):
            raise Rejected("truncated", "the file ends inside the header of its sound")
        return [data[at:end] for at, end in zip(starts, ends, strict=True)]
    if data[:4] == b".snd":
        return _joined(data, depth, *_au(data))
    layout = _layout(data)
    if layout is not None:
        return _joined(data, depth, *_chunked(data, layout))
    return mpeg.pieces(data) or [data]


def _layout(data: bytes) -> _Layout | None:
    if data[:4] in (b"RIFF", b"RF64", b"BW64") and data[8:12] == b"WAVE":
        return _LITTLE
    if data[:4] == b"FORM" and data[8:12] in (b"AIFF", b"AIFC"):
        return _BIG
    if data[:4] == b"caff":
        return _CAF
    return _W64 if data[:4] == b"riff" and data[24:28] == b"wave" else None


def _joined(data: bytes, depth: int, first: bytes, end: int) -> list[bytes]:
    """The first file, and those that follow it from `end` on."""
    rest = data[end:].lstrip(b"\0")
    if not rest.startswith(_BEGINNINGS):
        return [first]
    if depth == MAX_PIECES:
        raise Rejected("too_complex", f"the sound is in more than {MAX_PIECES} pieces")
    return [first, *pieces(rest, depth + 1)]


def _chunked(data: bytes, layout: _Layout) -> tuple[bytes, int]:
    """A file whose chunk of sound is as long as it says, and where it ended."""
    kept, at, long_size, frame = [data[: layout.head]], layout.head, 0, 1
    while at + layout.header <= len(data):
        name = data[at : at + 4]
        body = at + layout.header
        size = layout.size.unpack_from(data, at + layout.name_bytes)[0]
        size -= layout.header if layout.size_counts_header else 0
        if name == b"ds64":
            long_size = int.from_bytes(data[body + 8 : body + 16], "little")
        size = max(size, 0) if name == layout.sound else size
        if size < 0:
            raise Rejected("damaged", "a part of the file claims a length that cannot be")
        if name == b"fmt ":
            frame = _frame_bytes(data[body : body + size])
        if name == layout.sound:
            if data[:4] in (b"RF64", b"BW64") and size == 0xFFFF_FFFF:
                size = long_size
            length, end = _sound_length(data, body, size, layout)
            if data[body + length - length % frame : body + length].strip(b"\0"):
                raise Rejected("truncated", "the sound ends inside a sample")
            written = length + (layout.header if layout.size_counts_header else 0)
            kept += [data[at : at + layout.name_bytes], layout.size.pack(written), data[body:end]]
            return _with_whole_size(b"".join(kept), layout), end
        if body + size > len(data):
            break
        kept.append(data[at : body + size].ljust(_padded(at, body + size, layout) - at, b"\0"))
        at = _next_chunk(data, at, body + size, layout)
    raise Rejected("truncated", "the file ends before its sound begins")


def _frame_bytes(form: bytes) -> int:
    """Bytes of a sample of all channels, by a WAV's chunk `fmt `; 1 of codecs that have blocks."""
    if len(form) < 16:
        return 1
    codec, channels, _, _, _, bits = struct.unpack_from("<HHIIHH", form)
    if codec == EXTENSIBLE and len(form) >= 26:
        (codec,) = struct.unpack_from("<H", form, 24)
    return max(1, channels * -(-bits // 8)) if codec in PLAIN else 1


def _with_whole_size(data: bytes, layout: _Layout) -> bytes:
    """The file as plain RIFF or AIFF whose first size, and count of frames, are not believed."""
    if layout is _LITTLE:
        return b"RIFF" + struct.pack("<I", min(len(data) - 8, 0xFFFF_FFFF)) + data[8:]
    if layout is _BIG:
        return b"FORM" + struct.pack(">I", len(data) - 8) + data[8:]
    return data


def _sound_length(data: bytes, body: int, size: int, layout: _Layout) -> tuple[int, int]:
    """Bytes of sound from `body` on, and where the file that they belong to ends.

    A size is believed where the file ends there, or goes on with chunks, tags or another file.
    """
    end = body + size
    streamed = size >= (STREAMED if layout.size.size == 4 else 2**62)
    if not streamed and end > len(data):
        raise Rejected("truncated", "the file ends before its own container says that it does")
    if not streamed and size >= 0:
        after = _end_of_chunks(data, _next_chunk(data, body - layout.header, end, layout), layout)
        if after is not None and (size > 0 or after > end):
            return size, after
    return len(data) - body, len(data)


def _end_of_chunks(data: bytes, at: int, layout: _Layout) -> int | None:
    """Where what follows the sound ends, if it is chunks; None if it is more sound."""
    while at + layout.header <= len(data):
        name = data[at : at + 4]
        if name in _BEGINNINGS or _TAG.match(data, at):
            return at
        if name == bytes(4):
            return at if not data[at:].strip(b"\0") else None
        size = layout.size.unpack_from(data, at + layout.name_bytes)[0]
        size -= layout.header if layout.size_counts_header else 0
        end = at + layout.header + size
        if not name.isascii() or not name.decode().isprintable() or end > len(data) or size < 0:
            return None
        at = _next_chunk(data, at, end, layout)
    return len(data)


def _next_chunk(data: bytes, at: int, end: int, layout: _Layout) -> int:
    """Where the chunk after one at `at` begins: padded, unless its writer forgot to."""
    return end if data[end : end + 4] in _UNPADDED else _padded(at, end, layout)


def _padded(at: int, end: int, layout: _Layout) -> int:
    return end + -(end - at) % layout.padded_to


def _au(data: bytes) -> tuple[bytes, int]:
    """A file of Sun and NeXT, to the end where its size is unknown, and where it ended."""
    if len(data) < 24:
        raise Rejected("truncated", "the file ends before its header does")
    start, size = struct.unpack_from(">II", data, 4)
    end = start + size
    if start > len(data) or (size < STREAMED and end > len(data)):
        raise Rejected("truncated", "the file ends before its own container says that it does")
    if not 0 < size < STREAMED or data[end : end + 4] not in (b"", *_BEGINNINGS):
        end = len(data)
    return data[:8] + struct.pack(">I", end - start) + data[12:end], end


def _ogg(data: bytes) -> list[bytes]:
    """The links of a chain (RFC 3533, section 4), whose pages are whole.

    A last page that is whole but not marked as the last is let pass: encoders that forget the
    mark, or drop the last packet's tail, leave recordings with nothing audible missing.
    """
    starts, end, begins = [0], 0, True
    for start, end, flags in _pages(data):  # noqa: B007 (the last one's is used)
        if flags & 2 and not begins:
            starts.append(start)
        begins = bool(flags & 2)
    return [data[start:stop] for start, stop in zip(starts, [*starts[1:], end], strict=True)]


def _pages(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(start, end, flags) of each page of an Ogg file."""
    at = 0
    while data[at : at + 4] == b"OggS":
        segments = data[at + 27 : at + 27 + data[at + 26]] if at + 26 < len(data) else b""
        end = at + 27 + len(segments) + sum(segments)
        if at + 27 > len(data) or len(segments) < data[at + 26] or end > len(data):
            raise Rejected("truncated", "the file ends inside a page of its sound")
        if at == 0 and not data[5] & 2:
            raise Rejected("undecodable", "the file does not begin as a sound file in Ogg does")
        if _ogg_checksum(data[at:end]) != int.from_bytes(data[at + 22 : at + 26], "little"):
            raise Rejected("damaged", "a page of the sound does not match its checksum")
        yield at, end, data[at + 5]
        following = data.find(b"OggS\0", end)
        if following > end and data[end:following].strip(b"\0"):
            raise Rejected("damaged", "what is no sound stands between pages of the sound")
        at = max(end, following)


def _ogg_checksum(page: bytes) -> int:
    """CRC-32 of RFC 3533, by zlib's, which takes the bits of bytes in the opposite order."""
    blank = page[:22] + bytes(4) + page[26:]
    mirrored = zlib.crc32(blank.translate(_MIRRORED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_MIRRORED), "big")


def has_checksum_of(data: bytes, samples: npt.NDArray[np.float32]) -> bool:
    """Whether samples (frames, channels) are those whose MD5 a FLAC file holds, if it holds one.

    Frames have checksums of their own, but nothing else shows that one is missing: decoders put
    silence in its place. The MD5 is that of all samples as little-endian whole numbers (RFC 9639,
    section 8.2); of more than 24 bits float32 has no longer all of them.
    """
    bits = (data[20] & 1) * 16 + (data[21] >> 4) + 1 if _FLAC.match(data) else 0
    if not any(data[26:42]) or not 0 < bits <= 24:
        return True
    width = -(-bits // 8)
    whole = np.rint(samples * 2.0 ** (bits - 1)).astype("<i4" if width > 2 else f"<i{width}")
    if width == 3:
        whole = whole.view(np.uint8).reshape(-1, 4)[:, :3]
    return hashlib.md5(whole.tobytes(), usedforsecurity=False).digest() == data[26:42]


def without_length(data: bytes) -> tuple[bytes, int]:
    """A FLAC file made to say nothing of its length, and the frames that it claimed; 0 for none.

    Told a number, decoders stop there. Files of other formats are returned as they are.
    """
    if not _FLAC.match(data):
        return data, 0
    claimed = int.from_bytes(data[21:26], "big") & 0xF_FFFF_FFFF
    return data[:21] + bytes([data[21] & 0xF0]) + bytes(4) + data[26:], claimed
