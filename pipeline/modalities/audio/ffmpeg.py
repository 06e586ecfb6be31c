"""Sound in AAC (m4a, ADTS), WMA and AMR, by FFmpeg through PyAV: an extra, for libsndfile has none.

A file is read packet by packet to its end, and is as long as what came out.
"""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.machine.shortage import prove_room
from pipeline.modalities.audio.recording import Recording, check

_BEGINNING = re.compile(
    rb"....ftyp|\xff[\xf0\xf1\xf8\xf9]|#!AMR|\x30\x26\xb2\x75\x8e\x66\xcf\x11", re.DOTALL
)
# By the beginning of a file, so that no other of FFmpeg's many parsers sees its bytes.
_FORMATS = {b"#": "amr", b"\xff": "aac", b"\x30": "asf"}
# Seconds by which decoded sound may fall short of what its container says: frames of AAC and WMA
# overlap, and a first or last one is dropped.
SLACK = 0.25
# Bytes of a frame by its mode, after the byte that says it (RFC 4867, section 5.3).
_AMR = (12, 13, 15, 17, 19, 20, 26, 31, 5, 0, 0, 0, 0, 0, 0, 0)
_AMR_WIDE = (17, 23, 32, 36, 40, 46, 50, 58, 60, 5, 0, 0, 0, 0, 0, 0)
DECODER_BYTES = 64 << 20
# More than this at once FFmpeg refuses, whatever the machine has (av_max_alloc).
LARGEST_ALLOCATION = 2**31


def begins(data: bytes) -> bool:
    """Whether a file begins as one of those that are read here."""
    return _BEGINNING.match(data) is not None


def decode(data: bytes, max_seconds: float, most: int) -> Recording:
    """All samples of the first track of sound.

    Raises
    ------
    Rejected
        `truncated`, `damaged`, `undecodable`, `no_sound`, `too_many_channels`, `too_long`,
        `mixed_formats`.
    PipelineError
        PyAV is not installed.
    """
    try:
        import av
    except ImportError:
        raise PipelineError(
            "a sound is in AAC, WMA or AMR, which takes PyAV: "
            "pip install 'multimodal-pipeline[ffmpeg]'"
        ) from None
    if _end(data) > len(data):
        raise Rejected("truncated", "the file ends before its own structure does")
    av.logging.set_level(None)
    try:
        with av.open(io.BytesIO(data), format=_FORMATS.get(data[:1], "mp4")) as file:
            if not file.streams.audio:
                raise Rejected("no_sound", "the file has no track of sound")
            track = file.streams.audio[0]
            track.codec_context.thread_count = 1
            # Bare frames say no length; FFmpeg guesses one from the first.
            claimed = 0.0
            if data[:1] not in (b"#", b"\xff") and track.duration and track.time_base:
                claimed = float(track.duration * track.time_base)
            check(track.rate or 0, track.channels, claimed * (track.rate or 0), max_seconds, most)
            samples = _read(file, track, max_seconds)
            rate = int(track.rate)
    except av.error.MemoryError:
        prove_room(LARGEST_ALLOCATION)
        raise Rejected("damaged", "the sound claims more memory than any can need") from None
    except (av.error.FFmpegError, ValueError):
        prove_room(DECODER_BYTES)
        raise Rejected("damaged", "the sound breaks off or is damaged on the way") from None
    if len(samples) < (claimed - SLACK) * rate:
        raise Rejected("truncated", "the sound is shorter than its header says")
    return Recording(samples, rate, is_float=False)


def _read(file: Any, track: Any, max_seconds: float) -> npt.NDArray[np.float32]:
    """Frames of float32, shape (frames, channels)."""
    import av

    resampler = av.AudioResampler(format="fltp")
    blocks, count, form = [], 0, None
    for frame in file.decode(track):
        if form not in (None, (frame.sample_rate, frame.layout.name)):
            raise Rejected("mixed_formats", "the sound changes its sampling rate or channels")
        form = frame.sample_rate, frame.layout.name
        for made in resampler.resample(frame):
            blocks.append(made.to_ndarray().T.astype(np.float32))
            count += made.samples
        if count > max_seconds * frame.sample_rate:
            raise Rejected("too_long", f"it is longer than {max_seconds:g} s")
    if not blocks:
        raise Rejected("damaged", "no sound could be decoded")
    return np.concatenate(blocks)


def _end(data: bytes) -> int:
    """Where the last box of MP4, or frame of ADTS or AMR, ends by what it says of its length."""
    at = {b"#!AMR\n": 6, b"#!AMR-": 9}.get(data[:6], 0)
    modes = _AMR_WIDE if data[:9] == b"#!AMR-WB\n" else _AMR
    while at < len(data):
        if data[:1] == b"#":
            size = 1 + modes[data[at] >> 3 & 15]
        elif data[:1] == b"\xff":
            # What is no frame, such as a tag, ends the walk.
            if data[at : at + 2] != data[:2]:
                return at
            size = int.from_bytes(data[at + 3 : at + 6], "big") >> 5 & 0x1FFF
        elif data[4:8] == b"ftyp":
            size = int.from_bytes(data[at : at + 4], "big")
            size = int.from_bytes(data[at + 8 : at + 16], "big") if size == 1 else size
            size = size or len(data) - at
        else:
            return at
        at += max(size, 1)
    return at
