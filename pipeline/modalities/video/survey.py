"""What a film's packets say of it, read without decoding: no header is believed."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from pipeline.core.errors import Rejected
from pipeline.core.files.file_bytes import Bytes
from pipeline.core.once_a_file import once_a_file
from pipeline.core.spans import Span
from pipeline.modalities.video import ffmpeg

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
# Codecs whose pictures may be left out where they are marked as referred to by no other. In HEVC a
# picture of a higher layer may refer to such a one all the same, and in VP8 and VP9 its header may
# change how later ones are decoded.
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


class Survey(NamedTuple):
    """What is known of a film before it is decoded, in ms from its beginning.

    `pictures` is how many there are; `keys` are the times of packets at which decoding can begin,
    ascending, and none where it can't; `times` those of all pictures, ascending, and none where
    each is needed for others. `origin` is the beginning, in seconds, as the file counts.
    """

    codec: str
    duration: int
    pictures: int
    keys: tuple[int, ...]
    times: Sequence[int]
    origin: Fraction


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


def look_through(data: Bytes, kind: str, limits: Limits) -> tuple[Survey, Clock]:
    """What is known of a film by its packets, and how the times of its track are read.

    Raises what `decode` does.
    """
    most = 1 + limits.max_rate * (LONGEST if limits.span else limits.max_seconds)
    return _look_through(data, kind, limits.max_pixels, limits.keep_damaged, most)


@once_a_file
def _look_through(
    data: Bytes, kind: str, max_pixels: int, keep_damaged: bool, most: float
) -> tuple[Survey, Clock]:
    with ffmpeg.reading(), ffmpeg.open_file(data, kind, max_pixels) as file:
        return _survey(file, track_of(file, max_pixels, keep_damaged), keep_damaged, most)


def track_of(file: Any, max_pixels: int, keep_damaged: bool) -> Any:
    """The first track that is no cover, with its decoder ready."""
    cover = ffmpeg.library().stream.Disposition.attached_pic
    tracks = [one for one in file.streams.video if cover not in one.disposition]
    if not tracks or tracks[0].codec_context is None:
        raise Rejected("no_video", "the file has no track of pictures that can be decoded")
    context = tracks[0].codec_context
    if context.width * context.height > max_pixels:
        raise Rejected(
            "too_many_pixels",
            f"{context.width} x {context.height} pixels; accepted are {max_pixels}",
        )
    ffmpeg.ready(tracks[0], max_pixels, keep_damaged)
    return tracks[0]


def _survey(file: Any, track: Any, keep_damaged: bool, most: float) -> tuple[Survey, Clock]:
    """What the packets say, of which there may be so many.

    The beginning is that of the file, which its sound may share, or of the first picture.
    """
    base = track.time_base
    pictures, keys = array("q"), []
    end, whole, has_times, latest, misplaced = 0, 0, True, -math.inf, 0
    for packet in file.demux(track):
        start = packet.dts if packet.pts is None else packet.pts
        if start is None:
            has_times &= not packet.size
            continue
        if packet.is_corrupt and not keep_damaged:
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
    if (claimed - whole) * base > SLACK and not keep_damaged:
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
    can_leave_out = has_times and codec in DISPOSABLE and not keep_damaged
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
