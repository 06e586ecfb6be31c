"""MPEG audio (MP3) frame by frame: how long the sound is, whatever a header at its start claims.

A stream without a header is as long as its frames, which a decoder guesses from the first; one with
a header (Xing's or Fraunhofer's) is read as far as that says. Here the frames are walked (ISO
11172-3, section 2.4.1), headers that err are left out, and so is what is no frame.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.core.errors import Rejected

_SYNC = re.compile(rb"\xff[\xe2-\xff][\x10-\xef]")
# kbit/s by (MPEG-1 or a later one, layer) and index.
_BITRATES = {
    (True, 1): range(0, 480, 32),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44_100, 48_000, 32_000)
# Bytes of a frame's side information, before which a Xing header stands, by MPEG-1 and mono.
_SIDE = {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}
# Frames by which a header's count may exceed those that are there.
SLACK = 2


@dataclass(frozen=True)
class Frame:
    """One frame: where it stands, its length in bytes, what must not change, and its claim."""

    start: int
    length: int
    form: tuple[int, int, int, bool]  # version bits, layer, samples a second, mono
    claim: tuple[int, int] | None  # of a header: frames and bytes of the stream; 0 is unsaid


def pieces(data: bytes) -> list[bytes]:
    """The stream, cut where a header begins another; empty if the bytes are no MPEG audio.

    Raises
    ------
    Rejected
        `truncated`: it ends within a frame, or before its header says; `damaged`: what is neither
        a frame, a tag nor silence stands between frames.
    """
    runs: list[list[Frame]] = []
    for frame in _frames(data):
        if not runs or frame.claim or runs[-1][-1].form != frame.form:
            runs.append([])
        runs[-1].append(frame)
    # A header alone heads nothing.
    return [_stream(data, run) for run in runs if len(run) > 1 or not run[0].claim]


def _stream(data: bytes, frames: list[Frame]) -> bytes:
    """Frames of one form: with their header where it is right, else without."""
    first, *others = frames
    if first.claim is not None:
        count, size = first.claim
        if count > len(others) + SLACK and size > len(data) - first.start:
            raise Rejected("truncated", "the sound is shorter than its header says")
        if count != len(others):
            frames = others
    return b"".join(data[frame.start : frame.start + frame.length] for frame in frames)


def is_bare(data: bytes) -> bool:
    """Whether this is a stream that `pieces` made and found no right header in."""
    frame = _frame(data, 0)
    return frame is not None and frame.claim is None


def _frames(data: bytes) -> list[Frame]:
    frames: list[Frame] = []
    at, junk = 0, False
    while at < len(data):
        frame = _frame(data, at)
        if frame is not None and ((frames and not junk) or _is_confirmed(data, frame)):
            if junk and frames:
                raise Rejected("damaged", "what is no sound stands within the sound")
            if at + frame.length > len(data):
                raise Rejected("truncated", "the file ends inside a frame of its sound")
            frames.append(frame)
            at, junk = at + frame.length, False
            continue
        end = tag_end(data, at)
        if end > at:
            at = end
            continue
        junk = junk or data[at] != 0
        sync = _SYNC.search(data, at + 1)
        if sync is None:
            break
        junk = junk or any(data[at : sync.start()])
        at = sync.start()
    return frames


def _is_confirmed(data: bytes, frame: Frame) -> bool:
    """Whether another frame of its form, a tag or the end follows, so that it is no chance."""
    end = frame.start + frame.length
    following = _frame(data, end)
    if following is not None:
        return following.form[:3] == frame.form[:3]
    return end == len(data) or tag_end(data, end) > end


def _frame(data: bytes, at: int) -> Frame | None:
    """The frame whose header stands at `at`; None for what is no header, and for free formats."""
    if not _SYNC.match(data, at) or at + 4 > len(data):
        return None
    version, layer = data[at + 1] >> 3 & 3, 4 - (data[at + 1] >> 1 & 3)
    rate_index, mono = data[at + 2] >> 2 & 3, data[at + 3] >> 6 == 3
    if version == 1 or layer == 4 or rate_index == 3:
        return None
    is_first = version == 3
    rate = _RATES[rate_index] >> {3: 0, 2: 1, 0: 2}[version]
    bits = 1000 * _BITRATES[is_first, layer][data[at + 2] >> 4]
    padding = data[at + 2] >> 1 & 1
    if layer == 1:
        length = (12 * bits // rate + padding) * 4
    else:
        length = (72 if layer == 3 and not is_first else 144) * bits // rate + padding
    claim = _claim(data, at, _SIDE[is_first, mono]) if layer == 3 else None
    return Frame(at, length, (version, layer, rate, mono), claim)


def _claim(data: bytes, at: int, side: int) -> tuple[int, int] | None:
    """(frames, bytes) that a header frame gives for the stream that it heads."""
    if data[at + 36 : at + 40] == b"VBRI":
        size, count = (int.from_bytes(data[at + k : at + k + 4], "big") for k in (46, 50))
        return count, size
    at += 4 + side
    if data[at : at + 4] not in (b"Xing", b"Info"):
        return None
    flags, first, second = (
        int.from_bytes(data[k : k + 4], "big") for k in (at + 4, at + 8, at + 12)
    )
    count = first if flags & 1 else 0
    size = (second if flags & 1 else first) if flags & 2 else 0
    return count, size


def tag_end(data: bytes, at: int = 0) -> int:
    """Where a tag that begins at `at` ends; `at` itself where none does."""
    if data[at : at + 3] == b"ID3" and at + 10 <= len(data):
        size = 0
        for byte in data[at + 6 : at + 10]:
            size = size << 7 | byte & 0x7F
        return min(len(data), at + 10 + size + (10 if data[at + 5] & 0x10 else 0))
    if data[at : at + 3] == b"TAG":
        return min(len(data), at + 128)
    if data[at : at + 8] == b"APETAGEX" and at + 32 <= len(data):
        size = int.from_bytes(data[at + 12 : at + 16], "little")
        return min(len(data), at + 32 + (size if data[at + 23] & 0x20 else 0))
    return at
