"""A film's bytes → the pictures shown at chosen times: upright, in their proportions, small.

A film is read twice. The first time its packets alone are read, which say how long it is, how many
pictures it has and where one can begin to decode; no header is believed. The second time what
nothing is wanted of is not decoded. One decoded picture is held at a time.
"""

from __future__ import annotations

import io
import math
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import Rejected
from pipeline.core.spans import Span
from pipeline.modalities.video import ffmpeg, webp
from pipeline.modalities.video.container import kind_of
from pipeline.modalities.video.convert import Picture, alike, opaque, seen
from pipeline.modalities.video.timeline import (
    Survey,
    any_within,
    moments,
    shown_at,
    shown_or_beside,
)

if TYPE_CHECKING:
    from pipeline.modalities.image.content import Image

# Seconds by which pictures may end before their container says that they do.
SLACK = 1.0
# Packets that may lie before others' times, whose pictures are then not seen: so many, and a share.
MISPLACED, MISPLACED_SHARE = 5, 0.1
# A unit of type 5 behind the mark at which units begin.
_H264_RESTART = re.compile(rb"\0\0\x01[\x05\x25\x45\x65]")
# Seconds of a film of which a span is wanted, at most.
LONGEST = 100_000.0
# Codecs of which a packet marked as a key decodes without what stands before it.
RANDOM_ACCESS = frozenset(
    {"h264", "hevc", "av1", "vp8", "vp9", "mpeg4", "mpeg1video", "mpeg2video", "theora"}
)
# Codecs of which a picture that says that no other refers to it may be left out. In HEVC one of a
# higher layer may refer to it all the same, in VP8 and VP9 its head may change what others mean.
DISPOSABLE = frozenset({"h264", "mpeg1video", "mpeg2video"})


@dataclass(frozen=True)
class Limits:
    """What is taken of a film, and what it may be; see `clean.Options`."""

    every_ms: int | None
    most_pictures: int
    side: int
    max_seconds: float
    max_rate: float
    max_pixels: int
    keep_damaged: bool
    span: Span | None = None


def decode(data: bytes, limits: Limits) -> tuple[Survey, Iterator[tuple[int, Picture]]]:
    """The survey of a film, and its chosen pictures with their times in ms, one after the other.

    Of a span, times are from its start on; what is then shown stands at 0.

    Both raise
    ------
    Rejected
        `empty_file`, `undecodable`, `truncated`, `damaged`, `no_video`, `too_long`, `too_fast`,
        `too_many_pixels`, `misplaced`; `outside`: the span begins where the film has ended.
    OSError, MemoryError
        This machine is short of memory.
    PipelineError
        PyAV is not installed.
    """
    kind = kind_of(data)
    if kind == "webp":
        durations = webp.durations(data)
        survey = Survey("webp", max(1, sum(durations)), len(durations), (), (), Fraction(0))
        start, times = _asked(survey, limits)
        pictures = shown_at(webp.pictures(data, limits.max_pixels), times)
        small = ((time, opaque(image, limits.side)) for time, image in pictures)
        return survey, alike(_from(start, small))
    survey, clock = look_through(data, kind, limits)
    start, times = _asked(survey, limits)
    frames = _frames(data, kind, times, survey.keys, survey.times, clock, limits)
    return survey, alike(_from(start, _seen(shown_at(frames, times), limits.side)))


def look_through(data: bytes, kind: str, limits: Limits) -> tuple[Survey, Clock]:
    """What is known of a film by its packets; raises what `decode` does."""
    with ffmpeg.reading(), ffmpeg.open_file(io.BytesIO(data), kind, limits.max_pixels) as file:
        return _survey(file, _track(file, limits), limits)


def all_pictures(data: bytes, clock: Clock, limits: Limits) -> Iterator[tuple[int, Image]]:
    """Every picture, small, with the time in ms from which it is shown; raises what `decode` does.

    Of an animated WebP there is no clock, and so no picture here.
    """
    frames = _frames(data, kind_of(data), [0], (), (), clock, limits)
    for time, picture in alike(_seen(frames, limits.side)):
        yield time, picture.image


def _asked(survey: Survey, limits: Limits) -> tuple[int, list[int]]:
    """Where what is asked for begins, and the times at which it is looked at, in ms."""
    start, end = within(limits.span, survey.duration)
    _check(survey, (end - start) / 1000, limits)
    asked = moments(end - start, limits.every_ms, limits.most_pictures)
    return start, [start + time for time in asked]


def within(span: Span | None, duration: int) -> Span:
    """What of a span lies in a film; without one, all of it."""
    start, end = span or Span(0, duration)
    if start >= duration:
        raise Rejected("outside", f"the film ends after {duration / 1000:g} s")
    return Span(start, min(end, duration))


def _from(start: int, shown: Iterator[tuple[int, Picture]]) -> Iterator[tuple[int, Picture]]:
    for time, picture in shown:
        yield max(0, time - start), picture


def _check(survey: Survey, asked: float, limits: Limits) -> None:
    """`asked`: how much of the film is wanted, in seconds."""
    if not survey.pictures:
        raise Rejected("no_video", "the file has no picture")
    if asked > limits.max_seconds:
        raise Rejected("too_long", f"{asked:.1f} s; accepted are at most {limits.max_seconds:g} s")
    seconds = survey.duration / 1000
    # One picture has no rate, and a few may stand close.
    if survey.pictures > 1 + limits.max_rate * max(seconds, 1):
        raise Rejected(
            "too_fast",
            f"{survey.pictures} pictures in {seconds:.1f} s; accepted are at most "
            f"{limits.max_rate:g} a second",
        )


def _track(file: Any, limits: Limits) -> Any:
    """The first track that is no cover, with its decoder ready."""
    cover = ffmpeg.library().stream.Disposition.attached_pic
    tracks = [one for one in file.streams.video if cover not in one.disposition]
    if not tracks or tracks[0].codec_context is None:
        raise Rejected("no_video", "the file has no track of pictures that can be decoded")
    context = tracks[0].codec_context
    if context.width * context.height > limits.max_pixels:
        raise Rejected(
            "too_many_pixels",
            f"{context.width} x {context.height} pixels; accepted are {limits.max_pixels}",
        )
    ffmpeg.ready(tracks[0], limits.max_pixels, limits.keep_damaged)
    return tracks[0]


class Clock:
    """Times of a track → ms from the film's beginning, halves up, and none below 0.

    Parameters
    ----------
    base:
        Seconds of a unit of the track's times.
    origin:
        The film's beginning, in seconds, as the track counts.
    """

    def __init__(self, base: Fraction, origin: Fraction) -> None:
        # Whole numbers, since fractions take ten times as long.
        self._times = 2000 * base.numerator * origin.denominator
        self._less = (2000 * origin.numerator - origin.denominator) * base.denominator
        self._by = 2 * base.denominator * origin.denominator

    def __call__(self, time: int) -> int:
        return max(0, (time * self._times - self._less) // self._by)


def _survey(file: Any, track: Any, limits: Limits) -> tuple[Survey, Clock]:
    """What the packets say, and how the times of its track are read.

    The beginning is that of the file, which its sound may share, or of the first picture.
    """
    base = track.time_base
    most = 1 + limits.max_rate * (LONGEST if limits.span else limits.max_seconds)
    pictures, keys = array("q"), []
    end, whole, has_times, latest, misplaced = 0, 0, True, -math.inf, 0
    for packet in file.demux(track):
        start = packet.dts if packet.pts is None else packet.pts
        if start is None:
            has_times &= not packet.size
            continue
        if packet.is_corrupt and not limits.keep_damaged:
            raise Rejected("truncated", "a part of the pictures is missing from the file")
        has_times &= packet.pts is not None
        if packet.dts is not None:
            misplaced += packet.dts < latest
            latest = max(latest, packet.dts)
        whole = max(whole, start + (packet.duration or 0))
        if packet.is_keyframe and _restarts(packet, track.codec_context):
            keys.append(start)
        if packet.is_discard:
            continue
        pictures.append(start)
        end = max(end, start + (packet.duration or 0))
        if len(pictures) > most:
            raise Rejected("too_fast", f"it has more than {most:.0f} pictures")
    if not pictures:
        raise Rejected("no_video", "the file has no picture")
    if misplaced > MISPLACED + MISPLACED_SHARE * len(pictures):
        raise Rejected("misplaced", "the times of its pictures go back")
    claimed = (track.duration or 0) + (track.start_time or 0)
    if (claimed - whole) * base > SLACK and not limits.keep_damaged:
        raise Rejected("truncated", "the pictures end before the file says that they do")
    first, last = min(pictures), max(pictures)
    if end <= last:  # Nothing says how long the last one is shown: as long as others are.
        end = last + (last - first) // max(1, len(pictures) - 1)
    origin = first * base
    if file.start_time is not None:
        origin = min(origin, Fraction(file.start_time, 1_000_000))
    clock = Clock(base, origin)
    times = [clock(key) for key in keys]
    can_skip = has_times and times == sorted(set(times)) and times and min(keys) <= first
    codec = track.codec_context.codec.canonical_name
    is_known = codec in RANDOM_ACCESS
    can_leave_out = has_times and codec in DISPOSABLE and not limits.keep_damaged
    return Survey(
        codec,
        max(1, clock(end)),
        len(pictures),
        tuple(times) if can_skip and is_known else (),
        array("q", sorted(map(clock, pictures))) if can_leave_out else (),
        origin,
    ), clock


def _restarts(packet: Any, context: Any) -> bool:
    """Whether nothing behind a key needs what stands before it, as far as its codec's name tells.

    In H.264 a key may be a picture from which one only recovers, with references to what was
    before: of those that restart one unit is of type 5 (ITU-T H.264, 7.4.1.2.4).
    """
    if context.codec.canonical_name != "h264":
        return True
    data, about = bytes(packet), context.extradata or b""
    if about[:1] != b"\1":
        return _H264_RESTART.search(data) is not None
    # Units stand behind their lengths (ISO 14496-15, 5.3.3.1), of so many bytes.
    width, at = (about[4] & 3) + 1, 0
    while at + width < len(data):
        if data[at + width] & 31 == 5:
            return True
        at += width + int.from_bytes(data[at : at + width], "big")
    return False


def _frames(
    data: bytes,
    kind: str,
    times: Sequence[int],
    keys: Sequence[int],
    pictures: Sequence[int],
    clock: Clock,
    limits: Limits,
) -> Iterator[tuple[int, tuple[Any, Fraction | None]]]:
    """Frames in the order in which they are shown, with their times and the shape of their pixels.

    Of stretches between keys in which nothing is wanted, none is decoded; of `pictures`, none that
    is neither wanted nor needed for others.
    """
    with ffmpeg.reading(), ffmpeg.open_file(io.BytesIO(data), kind, limits.max_pixels) as file:
        track = _track(file, limits)
        decoded = _decoded(file, track, times, keys, pictures, clock, limits.keep_damaged)
        last = -1
        for time, frame in decoded:
            if time <= last:  # It is never seen.
                continue
            last = time
            if frame.width * frame.height > limits.max_pixels:
                raise Rejected("too_many_pixels", f"{frame.width} x {frame.height} pixels")
            yield time, (frame, track.sample_aspect_ratio)
        if last < 0:
            raise Rejected("damaged", "no picture could be decoded")


def _decoded(
    file: Any,
    track: Any,
    times: Sequence[int],
    keys: Sequence[int],
    pictures: Sequence[int],
    clock: Clock,
    keep_damaged: bool,
) -> Iterator[tuple[int, Any]]:
    """Frames with their times in ms, but of stretches from key to key in which none is wanted.

    Of `pictures`, the ascending times of all or none, what is not wanted and says that no other
    refers to it is left out. Pictures that are shown before a key and stored after it belong to the
    stretch before.
    """
    wanted = {start: any_within(times, start, end) for start, end in pairwise([*keys, math.inf])}
    if keys:
        wanted[keys[0]] |= any_within(times, 0, keys[0])
    is_open, closing, begin = not keys, None, -1
    needed = shown_or_beside(pictures, times)
    for packet in file.demux(track):
        time = None if packet.pts is None else clock(packet.pts)
        if packet.is_keyframe and time in wanted:
            if wanted[time]:
                begin = begin if is_open else time
                is_open, closing = True, None
            elif is_open:
                closing = time
        elif closing is not None and time is not None and time > closing:
            yield from _flushed(track, clock)
            is_open, closing = False, None
        # Where a picture is to be shown once more, Ogg has an empty packet.
        is_last = packet.pts is None and packet.dts is None and not packet.size
        if is_last and is_open:
            yield from _flushed(track, clock)
        # What is shown before the key at which decoding began needs what stands before it.
        elif is_open and packet.size and (time is None or time >= begin):
            can_be_left_out = pictures and time not in needed
            track.codec_context.skip_frame = "NONREF" if can_be_left_out else "DEFAULT"
            yield from _of_packet(packet, clock, keep_damaged)


def _of_packet(packet: Any, clock: Clock, keep_damaged: bool) -> Iterator[tuple[int, Any]]:
    errors = ffmpeg.library().error
    try:
        frames = packet.decode()
    # The second is -1, which FFmpeg's Theora says of a packet that it gives up.
    except (errors.InvalidDataError, errors.PermissionError):
        if not keep_damaged:
            raise
        return
    for frame in frames:
        if frame.is_corrupt and not keep_damaged:
            raise Rejected("damaged", "a part of a picture is missing")
        if frame.pts is not None:
            yield clock(frame.pts), frame


def _flushed(track: Any, clock: Clock) -> Iterator[tuple[int, Any]]:
    """What the decoder still holds; it can then begin anew."""
    for frame in track.codec_context.decode(None):
        if frame.pts is not None:
            yield clock(frame.pts), frame
    track.codec_context.flush_buffers()


def _seen(
    frames: Iterator[tuple[int, tuple[Any, Fraction | None]]], side: int
) -> Iterator[tuple[int, Picture]]:
    for time, (frame, aspect) in frames:
        with ffmpeg.reading():
            yield time, seen(frame, aspect, side)
