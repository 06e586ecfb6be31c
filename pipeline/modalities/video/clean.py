"""Bytes of a film → its pictures at chosen times, small, and what was measured on the way."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from pipeline.core import spans
from pipeline.core.errors import Rejected
from pipeline.core.files.file_bytes import Bytes
from pipeline.core.once_a_file import once_a_file
from pipeline.core.options import Options as Base
from pipeline.core.spans import evenly
from pipeline.modalities.video.content import Clip, to_jpeg
from pipeline.modalities.video.letterbox import Bars, find_bars

if TYPE_CHECKING:
    from pipeline.modalities.image.content import Image
    from pipeline.modalities.video.survey import Limits

# CPU milliseconds of a film of ten seconds in 720p.
COST_MS = 500.0

# Of the file: duration (s, from its beginning until its last picture ceases to be shown), width and
# height (pixels as shown, upright), rate (pictures a second), codec. Of what is kept: kept (its
# share of the area, the rest being bars that were cut off), frames (how many), black and frozen
# (shares of pictures and of steps from one to the next), brightness (grey levels, 0 to 255), phash.
MEASUREMENTS: tuple[tuple[str, str], ...] = (
    ("duration", "float32"),
    ("width", "int32"),
    ("height", "int32"),
    ("rate", "float32"),
    ("codec", "string"),
    ("kept", "float32"),
    ("frames", "int32"),
    ("black", "float32"),
    ("frozen", "float32"),
    ("brightness", "float32"),
    ("phash", "string"),
)
CUT = None
# The media type says of which span, and cleaning takes it.
SPANS = True
IN_PLACE = True

# A picture is black of which this share of pixels is darker than DARK (0 to 255), as FFmpeg's
# `blackdetect` has it.
BLACK, DARK = 0.98, 32
# A step is frozen whose mean difference in grey levels is below; FFmpeg's `freezedetect` has 0.001
# of the scale, which the noise of codecs at this size stays under.
FROZEN = 0.255
# Bytes a pixel that a picture of noise may take at the quality of `content.to_jpeg`, and its head.
NOISE_BYTES, HEAD_BYTES = 3, 2048
# Pictures in which bars are looked for, evenly over the film, and their longer side in pixels.
LOOKED_AT, LOOKED_AT_SIDE = 16, 512
# Side of the pictures of which the hash is made, in pixels.
THUMB = 64


class Options(Base):
    """What a clean film is, and which of its pictures are kept."""

    every_ms: int | None = Field(
        500,
        ge=1,
        description="a picture is taken each so many milliseconds; null: `max_frames` of them, "
        "evenly",
    )
    max_frames: int = Field(
        64,
        ge=1,
        le=10_000,
        description="most pictures kept of a film; of one that has more they are taken evenly",
    )
    max_side: int = Field(
        256, ge=16, le=2048, description="longer side in pixels; larger pictures are scaled down"
    )
    min_side: int = Field(
        4, ge=1, le=4096, description="pixels; films with a shorter side are rejected"
    )
    max_aspect: float = Field(
        20.0, ge=1, description="longer ÷ shorter side; films above are rejected"
    )
    max_seconds: float = Field(
        3600.0, gt=0, le=100_000, description="longest film accepted, in seconds"
    )
    min_seconds: float = Field(0.0, ge=0, description="shortest film accepted, in seconds")
    max_rate: float = Field(
        240.0, gt=0, le=100_000, description="most pictures a second accepted, on average"
    )
    max_pixels: int = Field(
        35_000_000,
        ge=1,
        description="width times height in pixels; larger films are not decoded (8K: 33 million)",
    )
    max_black: float = Field(
        0.95, ge=0, le=1, description="share of black pictures above which a film is rejected"
    )
    max_frozen: float = Field(
        1.0, ge=0, le=1, description="share of frozen steps above which a film is rejected"
    )
    letterbox: Literal["keep", "cut"] = Field(
        "keep",
        description="black bars on opposite sides that stay through the film; cut, pictures are "
        "what lies between them",
    )
    damaged: Literal["refuse", "keep"] = Field(
        "refuse",
        description="films of which a part is missing or changed; of kept ones all pictures that "
        "can be decoded count, as the decoder makes them up",
    )


def parameters(options: Options) -> dict[str, Any]:
    """What is keyed: the options, and FFmpeg's version with the instruction set it is held to."""
    from pipeline.modalities.video import ffmpeg

    return options.model_dump(mode="json") | ffmpeg.build()


def most_bytes(size: int, options: Options) -> int:
    """Bytes that a film of `size` bytes may take once it is clean."""
    return options.max_frames * (NOISE_BYTES * options.max_side**2 + HEAD_BYTES)


def clean(
    data: Bytes, media_type: str, options: Options
) -> tuple[Clip, dict[str, int | float | str]]:
    """The pictures as they will be stored, and MEASUREMENTS.

    What the file is, its bytes tell; `media_type` may err, and is asked for the span alone.

    Raises
    ------
    Rejected
        `too_small`, `too_elongated`, `too_short`, `black`, `frozen`, and what `decode` raises.
    """
    from pipeline.modalities.video.decode import decode, within
    from pipeline.modalities.video.survey import Limits

    _, span = spans.split(media_type, spans.MEDIA_TYPE)
    limits = Limits(
        every_ms=options.every_ms,
        most_pictures=options.max_frames,
        side=options.max_side,
        max_seconds=options.max_seconds,
        max_rate=options.max_rate,
        max_pixels=options.max_pixels,
        keep_damaged=options.damaged == "keep",
        span=span,
    )
    bars = Bars(0.0, 0.0)
    if options.letterbox == "cut":
        bars, limits = _between_bars(data, limits)
    survey, shown = decode(data, limits)
    start, end = within(span, survey.duration)
    duration = end - start
    seconds = duration / 1000
    if seconds < options.min_seconds:
        raise Rejected(
            "too_short", f"{seconds:.3f} s; accepted are at least {options.min_seconds:g} s"
        )
    times, pictures, seen, width, height = [], [], _Seen(), 0, 0
    for time, picture in shown:
        width, height = picture.width, picture.height
        _check_size(width, height, options)
        image = bars.cut(picture.image)
        times.append(time)
        pictures.append(to_jpeg(image))
        seen.look_at(image)
    if seen.black > options.max_black:
        raise Rejected("black", f"{seen.black:.0%} of its pictures are black")
    if seen.frozen > options.max_frozen:
        raise Rejected("frozen", f"in {seen.frozen:.0%} of its steps nothing moves")
    return Clip(tuple(pictures), tuple(times), duration), {
        "duration": seconds,
        "width": width,
        "height": height,
        "rate": 1000 * survey.pictures / survey.duration,
        "codec": survey.codec,
        "kept": bars.kept[0] * bars.kept[1],
        "frames": len(pictures),
        "black": seen.black,
        "frozen": seen.frozen,
        "brightness": seen.brightness,
        "phash": seen.phash(),
    }


def _between_bars(data: Bytes, limits: Limits) -> tuple[Bars, Limits]:
    """A film's bars, and limits under which what lies between them has the side that is asked for.

    Of a span the bars are the film's, so that all its spans are cut alike.
    """
    from pipeline.modalities.video.survey import LONGEST

    looking = replace(
        limits, every_ms=None, most_pictures=LOOKED_AT, side=LOOKED_AT_SIDE, span=None
    )
    if limits.span:
        looking = replace(looking, max_seconds=LONGEST)
    bars, longer, between = _bars(data, looking)
    return bars, replace(limits, side=int(limits.side * longer / between))


@once_a_file
def _bars(data: Bytes, limits: Limits) -> tuple[Bars, int, float]:
    """A film's bars, and the longer side of a picture and of what lies between them, in pixels."""
    from pipeline.modalities.video.decode import decode

    pictures = [picture for _, picture in decode(data, limits)[1]]
    bars = find_bars([picture.image for picture in pictures])
    width, height = pictures[0].width, pictures[0].height
    return bars, max(width, height), max(height * bars.kept[0], width * bars.kept[1])


def _check_size(width: int, height: int, options: Options) -> None:
    if min(height, width) < options.min_side:
        raise Rejected(
            "too_small",
            f"the film is {width} x {height} pixels; the shorter side must have {options.min_side}",
        )
    if max(height, width) > options.max_aspect * min(height, width):
        raise Rejected(
            "too_elongated",
            f"the film is {width} x {height} pixels, more elongated than {options.max_aspect:g} to "
            f"1",
        )


class _Seen:
    """What is measured of pictures, of which one at a time is held at full size."""

    def __init__(self) -> None:
        self._small: list[Image] = []
        self._previous: Image | None = None
        self._black = self._frozen = 0
        self._brightness = 0.0

    def look_at(self, image: Image) -> None:
        from pipeline.modalities.image.opencv import cv2

        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        self._black += int(np.count_nonzero(grey < DARK) >= BLACK * grey.size)
        if self._previous is not None:
            self._frozen += int(cv2.absdiff(grey, self._previous).mean() < FROZEN)
        self._brightness += float(grey.mean())
        self._small.append(cv2.resize(grey, (THUMB, THUMB), interpolation=cv2.INTER_AREA))
        self._previous = grey

    @property
    def black(self) -> float:
        return self._black / len(self._small)

    @property
    def frozen(self) -> float:
        return self._frozen / max(1, len(self._small) - 1)

    @property
    def brightness(self) -> float:
        return self._brightness / len(self._small)

    def phash(self) -> str:
        """The perceptual hash of four pictures in a square: of how they look and in which order."""
        from pipeline.modalities.image.phash import phash

        places = evenly(len(self._small), 4)
        first, second, third, fourth = (self._small[places[i * len(places) // 4]] for i in range(4))
        return phash(np.vstack([np.hstack([first, second]), np.hstack([third, fourth])]))
