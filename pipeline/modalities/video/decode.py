"""A film's bytes → the pictures shown at chosen times: upright, in their proportions, small.

A film is read twice. The first time its packets alone are read, which say how long it is, how many
pictures it has and where one can begin to decode; no header is believed. The second time what
nothing is wanted of is not decoded. One decoded picture is held at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import Rejected
from pipeline.core.files.file_bytes import Bytes
from pipeline.core.spans import Span
from pipeline.modalities.video import ffmpeg, webp
from pipeline.modalities.video.container import kind_of
from pipeline.modalities.video.convert import Picture, alike, opaque, seen
from pipeline.modalities.video.survey import Clock, Limits, Survey, look_through, track_of
from pipeline.modalities.video.timeline import any_within, moments, shown_at, shown_or_beside

if TYPE_CHECKING:
    from pipeline.modalities.image.content import Image


def decode(data: Bytes, limits: Limits) -> tuple[Survey, Iterator[tuple[int, Picture]]]:
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
        data = data[:]  # Pillow holds it whole.
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


def all_pictures(data: Bytes, clock: Clock, limits: Limits) -> Iterator[tuple[int, Image]]:
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


def _frames(
    data: Bytes,
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
    with ffmpeg.reading(), ffmpeg.open_file(data, kind, limits.max_pixels) as file:
        track = track_of(file, limits.max_pixels, limits.keep_damaged)
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
