"""A film on a page: a contact sheet, on which each picture bears the time at which it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.core.media_card import CardOptions, MediaCard
from pipeline.core.spans import clock, evenly
from pipeline.modalities.image.opencv import cv2
from pipeline.modalities.image.show import webp
from pipeline.modalities.video.content import Clip

if TYPE_CHECKING:
    from pipeline.modalities.image.content import Image

# Pictures of a sheet, at most, and in a row.
MOST, COLUMNS = 6, 3
# In pixels: height of the strip with the time, and what the time needs in width.
STRIP, LABEL = 14, 46
INK = (70, 70, 70)


def show(content: Clip, options: CardOptions) -> MediaCard:
    """Up to six pictures in rows of three, each at most half of `options.picture` pixels long."""
    places = evenly(len(content), MOST)
    columns = min(COLUMNS, len(places))
    cells = [
        _cell(image, options.picture // 2, clock(content.times[place]))
        for place, image in zip(places, content.images(places), strict=True)
    ]
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % columns)
    rows = [np.hstack(cells[at : at + columns]) for at in range(0, len(cells), columns)]
    sheet = np.vstack(rows)
    many = "picture" if len(content) == 1 else "pictures"
    return MediaCard(
        picture=webp(sheet),
        width=sheet.shape[1],
        height=sheet.shape[0],
        caption=f"{content.duration / 1000:.1f} s, {len(content):,} {many}",
    )


def _cell(image: Image, side: int, label: str) -> Image:
    """The picture within the side, its time below."""
    rows, columns = image.shape[:2]
    shrink = min(1.0, side / max(rows, columns))
    width, height = max(1, round(columns * shrink)), max(1, round(rows * shrink))
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    # A gap of two pixels parts the pictures.
    cell = np.full((height + STRIP, max(width, LABEL) + 2, 3), 255, np.uint8)
    cell[:height, :width] = small
    cv2.putText(
        cell, label, (1, height + STRIP - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.34, INK, 1, cv2.LINE_AA
    )
    return cell
