"""Animated WebP by Pillow: FFmpeg reads its container, and not its pictures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from pipeline.core.errors import Rejected
from pipeline.core.machine.shortage import prove_room
from pipeline.modalities.image import header

if TYPE_CHECKING:
    from pipeline.modalities.image.content import Image

DECODER_BYTES = 64 << 20


def durations(data: bytes) -> list[int]:
    """How long each picture is shown, in ms; [0] for a WebP that does not move.

    Of the chunks `ANMF` of its container (RFC 9649, 2.7.1.1).
    """
    found, at = [], 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"ANMF":
            found.append(int.from_bytes(data[at + 20 : at + 23], "little"))
        at += 8 + size + size % 2
    return found or [0]


def pictures(data: bytes, max_pixels: int) -> Iterator[tuple[int, Image]]:
    """Each picture with the time, in ms, from which it is shown: uint8 RGBA (height, width, 4).

    Raises
    ------
    Rejected
        `damaged`, `too_many_pixels`.
    """
    from PIL import Image as pillow

    head = header.inspect(data)
    if head is None:
        raise Rejected("undecodable", "the file's structure cannot be read")
    if head.width * head.height > max_pixels:
        raise Rejected(
            "too_many_pixels", f"{head.width} x {head.height} pixels; accepted are {max_pixels}"
        )
    # The size is checked.
    pillow.MAX_IMAGE_PIXELS = None
    starts = accumulate(durations(data), initial=0)
    try:
        file = pillow.open(io.BytesIO(data), formats=["WEBP"])
        for place in range(getattr(file, "n_frames", 1)):
            file.seek(place)
            yield next(starts), np.asarray(file.convert("RGBA"))
    except (OSError, ValueError, EOFError, SyntaxError, StopIteration):
        prove_room(DECODER_BYTES)
        raise Rejected("damaged", "the animation breaks off or is damaged on the way") from None
