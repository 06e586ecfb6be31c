"""Bytes of a sound file to samples, by libsndfile: Ogg Vorbis, Opus, WAV, FLAC, MP3, AIFF.

Nothing is allocated before the header's claims are checked.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import Rejected
from pipeline.core.machine.shortage import prove_room

if TYPE_CHECKING:
    import soundfile

FORMATS = frozenset({"OGG", "WAV", "WAVEX", "RF64", "W64", "FLAC", "MP3", "AIFF", "AU", "CAF"})
SAMPLING_RATES = (1_000, 384_000)
UNKNOWN_LENGTH = 2**63 - 1
# From this size on, a WAV's claimed size is a writer's placeholder, not a promise.
STREAMED = 0x7FFF_0000
# Frames by which an MP3 may fall short of its header, which counts encoder delay and padding.
MP3_SLACK = 2 * 1_152
# What no decoder takes more of, beside the samples.
DECODER_BYTES = 32 << 20


@dataclass(frozen=True)
class Recording:
    """Sound as it was recorded: float32 samples (frames, channels), full scale at 1."""

    samples: npt.NDArray[np.float32]
    sampling_rate: int


def decode(data: bytes, max_seconds: float, max_channels: int) -> Recording:
    """All samples of a sound file.

    Raises Rejected: `empty_file`; `truncated`, where the container shows that bytes are missing;
    `undecodable`, for anything that is not sound in a known format; `bad_sampling_rate`,
    `too_many_channels`, `too_long` and `unknown_length`, from the header alone. Raises OSError or
    MemoryError where this machine is short of memory.
    """
    import soundfile

    if not data:
        raise Rejected("empty_file", "the file has no bytes")
    if _cut(data):
        raise Rejected("truncated", "the file ends before its own container says that it does")
    try:
        file = soundfile.SoundFile(_File(data))
    except soundfile.LibsndfileError:
        raise _damaged("undecodable", "the bytes are not a sound file of a known format") from None
    with file:
        _check(file, max_seconds, max_channels)
        try:
            samples = file.read(dtype="float32", always_2d=True)
        except soundfile.LibsndfileError:
            raise _damaged("truncated", "the sound breaks off or is damaged on the way") from None
        if len(samples) < file.frames - (MP3_SLACK if file.format == "MP3" else 0):
            raise _damaged("truncated", "the sound is shorter than its header says")
        return Recording(samples, file.samplerate)


def _damaged(reason: str, message: str) -> Rejected:
    """The reject of what libsndfile gives up on, once it is proven that it did not lack memory."""
    prove_room(DECODER_BYTES)
    return Rejected(reason, message)


class _File(io.BytesIO):
    """Bytes in which a seek to before their start goes nowhere, as a damaged header may ask for.

    Raised inside libsndfile's callback, the error would be printed and change nothing.
    """

    def seek(self, offset: int, whence: int = 0, /) -> int:
        try:
            return super().seek(offset, whence)
        except ValueError:
            return self.tell()


def _check(file: soundfile.SoundFile, max_seconds: float, max_channels: int) -> None:
    """Refuse a header's claims before anything is allocated for them."""
    slowest, fastest = SAMPLING_RATES
    if file.format not in FORMATS:
        raise Rejected("undecodable", "the bytes are not a sound file of a known format")
    if not slowest <= file.samplerate <= fastest:
        raise Rejected(
            "bad_sampling_rate",
            f"{file.samplerate} samples a second; accepted are {slowest} to {fastest}",
        )
    if file.channels > max_channels:
        raise Rejected(
            "too_many_channels", f"{file.channels} channels; accepted are at most {max_channels}"
        )
    if file.frames == UNKNOWN_LENGTH:
        raise Rejected("unknown_length", "the header does not say how long the sound is")
    if file.frames > max_seconds * file.samplerate:
        raise Rejected(
            "too_long",
            f"{file.frames / file.samplerate:.1f} s; accepted are at most {max_seconds:g} s",
        )


def _cut(data: bytes) -> bool:
    """Whether an Ogg or WAV file was cut off: libsndfile decodes what is left without a word."""
    if data[:4] == b"OggS":
        return _ogg_is_cut(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return _wav_is_cut(data)
    return False


def _ogg_is_cut(data: bytes) -> bool:
    """Whether the file ends inside a page (RFC 3533, section 6).

    A last page that is whole but not marked as the last is let pass: encoders that forget the
    mark, or drop the last packet's tail, leave recordings with nothing audible missing.
    """
    at = 0
    while data[at : at + 4] == b"OggS":
        segments = data[at + 27 : at + 27 + data[at + 26]] if at + 26 < len(data) else b""
        if not segments and at + 27 >= len(data):
            return True
        at += 27 + data[at + 26] + sum(segments)
    return at > len(data)


def _wav_is_cut(data: bytes) -> bool:
    """Whether the chunk of samples is shorter than it says, by more than its padding byte."""
    at = 12
    while at + 8 <= len(data):
        size: int = struct.unpack_from("<I", data, at + 4)[0]
        if data[at : at + 4] == b"data":
            return size < STREAMED and at + 8 + size > len(data)
        at += 8 + size + size % 2
    return False
