"""Bytes of a sound file to samples, by libsndfile: Ogg Vorbis, Opus, WAV, FLAC, MP3, AIFF.

The file is read to its end, and as long as what came out; what a header claims can refuse it
before anything is allocated, but not shorten it.
"""

from __future__ import annotations

import functools
import io
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import Rejected
from pipeline.core.machine.shortage import prove_room
from pipeline.modalities.audio import container, ffmpeg, mpeg
from pipeline.modalities.audio.recording import Recording, check, too_long

if TYPE_CHECKING:
    import soundfile

FORMATS = frozenset({"OGG", "WAV", "WAVEX", "RF64", "W64", "FLAC", "MP3", "AIFF", "AU", "CAF"})
UNKNOWN_LENGTH = 2**63 - 1
# Frames by which an MP3 may fall short of its header, which counts encoder delay and padding.
MP3_SLACK = 2 * 1_152
# Times full scale; what encoders make of the loudest sound comes out below 2.
MP3_PEAK = 8
# Frames read at once.
BLOCK = 1 << 18
# What no decoder takes more of, beside the samples.
DECODER_BYTES = 32 << 20


def decode(data: bytes, max_seconds: float, max_channels: int) -> Recording:
    """All samples of a sound file, to the end of the file; of joined files, one after the other.

    Raises Rejected: `empty_file`; `truncated`, where the container shows that bytes are missing;
    `damaged`, where it shows that they changed; `undecodable`, for anything that is not sound in a
    known format; `bad_sampling_rate`, `too_many_channels` and `too_long`, before much is allocated;
    `mixed_formats`, where joined files differ in sampling rate or channels. Raises OSError or
    MemoryError where this machine is short of memory.
    """
    if not data:
        raise Rejected("empty_file", "the file has no bytes")
    if ffmpeg.begins(data):
        return ffmpeg.decode(data, max_seconds, max_channels)
    recordings: list[Recording] = []
    seconds = 0.0
    for piece in container.pieces(data):
        recording = _decode(piece, max_seconds, max_channels)
        recordings.append(recording)
        seconds += len(recording.samples) / recording.sampling_rate
        if seconds > max_seconds:
            raise too_long(seconds, max_seconds)
    return _joined(recordings)


def _joined(recordings: list[Recording]) -> Recording:
    first, *others = recordings
    if not others:
        return first
    forms = {(one.sampling_rate, one.samples.shape[1], one.is_float) for one in recordings}
    if len(forms) > 1:
        raise Rejected(
            "mixed_formats", "the sound changes its sampling rate, channels or coding on the way"
        )
    samples = np.concatenate([recording.samples for recording in recordings])
    return replace(first, samples=samples)


def _decode(data: bytes, max_seconds: float, max_channels: int) -> Recording:
    endless, claimed = container.without_length(data)
    try:
        recording = _decode_to_end(endless, claimed, max_seconds, max_channels)
    except Rejected as rejected:
        if not claimed or rejected.reason != "truncated":
            raise
        # What stands after the last frame may be a tag or padding: all that is claimed is there.
        recording = _decode_to_end(data, claimed, max_seconds, max_channels)
    if not container.has_checksum_of(data, recording.samples):
        raise Rejected("damaged", "the sound does not match its checksum")
    return recording


def _decode_to_end(data: bytes, claimed: int, max_seconds: float, max_channels: int) -> Recording:
    import soundfile

    try:
        file = _stream()(_File(data))
    except soundfile.LibsndfileError:
        raise _damaged("undecodable", "the bytes are not a sound file of a known format") from None
    with file:
        claimed = claimed or (0 if file.frames == UNKNOWN_LENGTH else file.frames)
        if file.format not in FORMATS:
            raise Rejected("undecodable", "the bytes are not a sound file of a known format")
        check(file.samplerate, file.channels, claimed, max_seconds, max_channels)
        try:
            samples = _read(file, max_seconds)
        except soundfile.LibsndfileError:
            raise _damaged("truncated", "the sound breaks off or is damaged on the way") from None
        if len(samples) < claimed - (MP3_SLACK if file.format == "MP3" else 0):
            raise _damaged("truncated", "the sound is shorter than its header says")
        if file.format == "MP3" and np.abs(samples).max(initial=0) > MP3_PEAK:
            raise Rejected("damaged", "the sound is louder than its format can hold")
        return Recording(samples, file.samplerate, file.subtype in ("FLOAT", "DOUBLE"))


@functools.cache
def _stream() -> Any:
    """SoundFile, read from its start to its end: some codecs cannot do anything else."""
    import soundfile

    class Stream(soundfile.SoundFile):  # type: ignore[misc]
        def seekable(self) -> bool:
            return False

    return Stream


def _read(file: soundfile.SoundFile, max_seconds: float) -> npt.NDArray[np.float32]:
    """All frames, of which no more are asked for than there are, nor than may be kept, and one."""
    most = math.floor(max_seconds * file.samplerate) + 1
    left = file.frames
    blocks: list[npt.NDArray[np.float32]] = []
    while most > 0:
        block = file.read(min(most, left, BLOCK), dtype="float32", always_2d=True)
        if not len(block):
            return np.concatenate(blocks) if len(blocks) > 1 else (blocks or [block])[0]
        blocks.append(block)
        most, left = most - len(block), left - len(block)
    raise too_long(max_seconds, max_seconds)


def _damaged(reason: str, message: str) -> Rejected:
    """The reject of what libsndfile gives up on, once it is proven that it did not lack memory."""
    prove_room(DECODER_BYTES)
    return Rejected(reason, message)


class _File(io.BytesIO):
    """Bytes in which a seek to before their start goes nowhere, as a damaged header may ask for.

    Raised inside libsndfile's callback, the error would be printed and change nothing. Of MPEG
    without a header the decoder is not told how many bytes there are: it would guess the length
    of the sound from that and the first frame, and stop there, instead of counting frames.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._has_end = not mpeg.is_bare(data)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence == io.SEEK_END and not self._has_end:
            return super().seek(0)
        try:
            return super().seek(offset, whence)
        except ValueError:
            return self.tell()
