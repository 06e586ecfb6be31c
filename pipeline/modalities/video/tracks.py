"""What else a film's file holds: its sound, the picture in its middle, its subtitles.

All on the one time axis of the film's pictures, whose beginning is 0. Each comes out as a file that
the modality cleans as any other: sound as WAV, a picture as PNG, words as UTF-8.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.core.errors import Rejected
from pipeline.core.files.file_bytes import Bytes
from pipeline.core.once_a_file import once_a_file
from pipeline.core.spans import Span
from pipeline.modalities.audio.recording import Recording, check, too_long
from pipeline.modalities.text.subtitles import Cue, words
from pipeline.modalities.video import MEDIA_TYPES as FILMS
from pipeline.modalities.video import ffmpeg
from pipeline.modalities.video.container import kind_of
from pipeline.modalities.video.survey import LONGEST, Limits, look_through

if TYPE_CHECKING:
    from pipeline.modalities.text.clean import Options as TextOptions
    from pipeline.modalities.text.speech import Speech
    from pipeline.modalities.text.transcript import Utterance

MEDIA_TYPES = frozenset(film.name for film in FILMS if film.name.startswith("video/"))
GIVES = frozenset({"audio", "image", "text"})
IN_PLACE = True

# Seconds of sound that are decoded before a span, in which a decoder finds its way: Opus asks for
# 80 ms (RFC 7845, 4.6), the frames of AAC overlap by half.
PREROLL = Fraction(1, 4)
# Kinds of file that say where the packets of a time lie, and give the same ones there as from the
# start. MPEG's program streams do not: where one enters, times are missing.
INDEXED = frozenset({"mov", "matroska"})
# Seconds before what a span needs to which one goes, since indexes may know pictures alone.
LEAD = 1
# Seconds by which a frame of sound may lie off the end of the one before, since containers round
# times; beyond it there is a gap, or one is cut.
JITTER = Fraction(1, 25)
# Of a picture, in pixels: no film is larger.
SIDE = 1 << 16
# Pictures a second and pixels, of a film whose sound is asked for.
FASTEST, MAX_PIXELS = 100_000.0, 1 << 26


def parameters() -> dict[str, str]:
    """What is keyed beside the code: FFmpeg's version and the instruction set it is held to."""
    return ffmpeg.build()


def take(
    data: Bytes, modality: str, span: Span | None, options: Any
) -> tuple[bytes, dict[str, float]]:
    """The file that a modality cleans, and of speech how sure its words are.

    Parameters
    ----------
    span:
        None: the whole film.
    options:
        Of the modality's cleaning.

    Raises
    ------
    Rejected
        `absent`: there is nothing of the kind, or not then; `unclear`: what is spoken is not
        understood; `outside`: the film ends before; and what reading the film raises.
    """
    if modality == "image":
        return _picture(data, span, options), {}
    if modality == "audio":
        return _wav(_sound(data, span, options.max_seconds, options.max_channels)), {}
    return _words(data, span, options)


def _picture(data: Bytes, span: Span | None, options: Any) -> bytes:
    """PNG of what is seen in the middle, at the film's own size."""
    from pipeline.modalities.image.opencv import cv2
    from pipeline.modalities.video.decode import decode

    keep = options.damaged == "keep"
    limits = Limits(None, 1, SIDE, LONGEST, FASTEST, options.max_pixels, keep, span)
    _, shown = decode(data, limits)
    ((_, picture),) = shown
    image = cv2.cvtColor(picture.image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def _sound(
    data: Bytes,
    span: Span | None,
    max_seconds: float,
    max_channels: int,
    from_start: bool = False,
) -> Recording:
    """Of the first track the samples whose time lies in the span, silence for gaps.

    Where the sound begins later than what is asked for, it begins with silence; where it ends
    earlier, it ends there.

    Parameters
    ----------
    from_start:
        Whether all packets before a span are read; else where the file does not lead to it.
    """
    kind = kind_of(data)
    origin = _origin(data, kind)
    with ffmpeg.reading(), ffmpeg.open_file(data, kind, MAX_PIXELS) as file:
        tracks = [track for track in file.streams.audio if track.codec_context is not None]
        if not tracks:
            raise Rejected("absent", "the film has no sound that can be decoded")
        ffmpeg.ready(tracks[0])
        rate = int(tracks[0].rate)
        check(rate, tracks[0].channels, 0, max_seconds, max_channels)
        near = _near(span, tracks[0].time_base, origin) if span else None
        if near and kind in INDEXED and not from_start and not _led_before(file, tracks[0], near):
            return _sound(data, span, max_seconds, max_channels, from_start=True)
        start, end = (math.ceil(Fraction(time * rate, 1000)) for time in span or (0, 0))
        blocks = []
        for place, block in _blocks(file, tracks[0], origin, near):
            first, last = max(place, start), min(place + block.shape[1], end if span else math.inf)
            if first < last:
                blocks.append((first - start, block[:, first - place : int(last) - place]))
            if blocks and last - start > max_seconds * rate:
                raise too_long((last - start) / rate, max_seconds)
    if not blocks:
        raise Rejected("absent", "it has no sound" + (" at that time" if span else ""))
    place, block = blocks[-1]
    samples = np.zeros((place + block.shape[1], len(block)), np.float32)
    for place, block in blocks:
        if len(block) != samples.shape[1]:
            raise Rejected("mixed_formats", "the sound changes its channels on the way")
        samples[place : place + block.shape[1]] = block.T
    return Recording(samples, rate, is_float=True)


def _origin(data: Bytes, kind: str) -> Fraction:
    """The film's beginning, in seconds, as its file counts."""
    limits = Limits(None, 1, SIDE, LONGEST, FASTEST, MAX_PIXELS, True, Span(0, 1))
    try:
        return look_through(data, kind, limits)[0].origin
    except Rejected as rejected:
        if rejected.reason != "no_video":
            raise
    with ffmpeg.reading(), ffmpeg.open_file(data, kind, MAX_PIXELS) as file:
        return Fraction(file.start_time or 0, 1_000_000)


def _blocks(
    file: Any, track: Any, origin: Fraction, near: tuple[int, int] | None
) -> Iterator[tuple[int, np.ndarray]]:
    """Sound, float32 (channels, samples), each with the place of its first sample from 0 on.

    Of a span no more is decoded than is near it.
    """
    rate, expected = int(track.rate), None
    resampler = ffmpeg.library().AudioResampler(format="fltp")
    for packet in file.demux(track):
        if near and packet.pts is not None:
            if packet.pts + (packet.duration or 0) < near[0]:
                continue
            if packet.pts > near[1]:
                return
        for frame in packet.decode():
            if frame.sample_rate != rate:
                raise Rejected("mixed_formats", "the sound changes its sampling rate on the way")
            if frame.pts is not None:
                place = round((frame.pts * frame.time_base - origin) * rate)
                if expected is None or abs(place - expected) > JITTER * rate:
                    expected = place
            for made in resampler.resample(frame):
                yield expected or 0, made.to_ndarray()
                expected = (expected or 0) + made.samples


def _near(span: Span, base: Fraction, origin: Fraction) -> tuple[int, int]:
    """The first and last of a track's times that are decoded for a span.

    Whole numbers: held against fractions, packets took longer than they take to be read.
    """
    start, end = Fraction(span.start / 1000 - PREROLL), Fraction(span.end / 1000 + PREROLL)
    return math.ceil((start + origin) / base), math.floor((end + origin) / base)


def _led_before(file: Any, track: Any, near: tuple[int, int]) -> bool:
    """Go to where no packet that is near has been read yet; whether the file leads there.

    The first packet there is none that is decoded, so it is no matter what is told with it.
    """
    place = near[0] - math.ceil(LEAD / track.time_base)
    if place <= (track.start_time or 0):
        return True
    try:
        file.seek(place, stream=track)
        first = next(file.demux(track))
        file.seek(place, stream=track)
    except ffmpeg.library().error.FFmpegError:
        return False
    return first.pts is not None and first.pts + (first.duration or 0) < near[0]


def _words(data: Bytes, span: Span | None, options: TextOptions) -> tuple[bytes, dict[str, float]]:
    """Its subtitles, else what is spoken, where options say so, and how sure that is."""
    subtitles = _subtitles(data)
    if subtitles is not None:
        return words(subtitles, span).encode(), {}
    speech = options.speech
    if speech is None:
        raise Rejected("absent", "the film has no subtitles that are words")
    from pipeline.modalities.text.transcript import words as spoken_words

    text, confidence = spoken_words(_utterances(data, speech), span, speech.min_confidence)
    return text.encode(), {"confidence": confidence}


@once_a_file
def _utterances(data: Bytes, speech: Speech) -> tuple[Utterance, ...]:
    from pipeline.modalities.audio.tracks import to_mono_16k
    from pipeline.modalities.text.transcript import recognised

    sound = _sound(data, None, speech.max_seconds, speech.max_channels)
    return recognised(to_mono_16k(sound), speech)


@once_a_file
def _subtitles(data: Bytes) -> list[Cue] | None:
    """Of the first track of words; None where there is none."""
    kind = kind_of(data)
    origin = _origin(data, kind)
    with ffmpeg.reading(), ffmpeg.open_file(data, kind, MAX_PIXELS) as file:
        tracks = [track for track in file.streams.subtitles if _codec(track) in _WORDS]
        if not tracks:
            return None
        cues = []
        read, base = _WORDS[_codec(tracks[0])], tracks[0].time_base
        for packet in file.demux(tracks[0]):
            if packet.pts is not None and packet.size:
                start, end = (
                    round(1000 * (time * base - origin))
                    for time in (packet.pts, packet.pts + (packet.duration or 0))
                )
                cues.append(Cue(start, end, read(bytes(packet)).decode(errors="surrogateescape")))
        return cues


def _codec(track: Any) -> str:
    return "" if track.codec_context is None else str(track.codec_context.codec.canonical_name)


def _of_substation(packet: bytes) -> bytes:
    """The ninth field of an event in Matroska; its line breaks as such."""
    return re.sub(rb"\\[Nnh]", b"\n", packet.split(b",", 8)[-1])


# By codec, the words of a packet.
_WORDS: dict[str, Callable[[bytes], bytes]] = {
    "mov_text": lambda packet: packet[2 : 2 + int.from_bytes(packet[:2], "big")],
    "subrip": bytes,
    "webvtt": bytes,
    "text": bytes,
    "ass": _of_substation,
    "ssa": _of_substation,
}


def _wav(sound: Recording) -> bytes:
    """A file of IEEE floats (RIFF WAVE, format 3)."""
    samples, rate = sound.samples, sound.sampling_rate
    body = samples.astype("<f4").tobytes()
    frame = 4 * samples.shape[1]
    form = struct.pack("<HHIIHH", 3, samples.shape[1], rate, rate * frame, frame, 32)
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    chunks += b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks
