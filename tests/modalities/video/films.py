"""Films of which every picture is known: each of one grey, by which it is told."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from pipeline.modalities.video.content import Clip

DARKEST, STEP = 40, 6


def numbered(count: int, height: int = 32, width: int = 48) -> list[np.ndarray]:
    """Up to 32 pictures, told by their grey; more begin anew."""
    greys = DARKEST + STEP * (np.arange(count) % 32)
    return [np.full((height, width, 3), grey, np.uint8) for grey in greys]


def numbers(clip: Clip) -> list[int]:
    """Which of `numbered` the pictures of a clip are."""
    return [round((float(image.mean()) - DARKEST) / STEP) for image in clip.images()]


def with_sound(pictures: Sequence[np.ndarray], times: Sequence[int], container: str) -> bytes:
    """A film whose sound begins at 0 and lasts for two seconds."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        track: Any = output.add_stream("libx264", rate=1000)
        track.height, track.width = pictures[0].shape[:2]
        track.pix_fmt = "yuv420p"
        sound: Any = output.add_stream("pcm_s16le", rate=8000, layout="mono")
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.int16), "s16", "mono")
        tone.sample_rate = 8000
        output.mux([*sound.encode(tone), *sound.encode(None)])
        for picture, time in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            output.mux(track.encode(frame))
        output.mux(track.encode(None))
    return file.getvalue()


def turned(mp4: bytes, matrix: Sequence[float]) -> bytes:
    """The display matrix a, b, c, d of an MP4's track set (ISO 14496-12, 8.3.2)."""
    at = mp4.index(b"tkhd") + 4 + 40
    a, b, c, d = (round(value * 65536).to_bytes(4, "big", signed=True) for value in matrix)
    rows = a + b + bytes(4) + c + d + bytes(4) + bytes(8) + (1 << 30).to_bytes(4, "big")
    return mp4[:at] + rows + mp4[at + 36 :]


def edited(mp4: bytes, start: int, duration: int) -> bytes:
    """The first edit of an MP4 set, in units of its track and of its film (ISO 14496-12, 8.6.6)."""
    at = mp4.index(b"elst") + 12
    return mp4[:at] + duration.to_bytes(4, "big") + start.to_bytes(4, "big") + mp4[at + 8 :]
