"""Sound from left to right: its outline, as loud as it is after cleaning."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pipeline.core.media_card import Strip
from pipeline.core.spans import Span
from pipeline.modalities.audio.content import SAMPLING_RATE
from pipeline.modalities.audio.show import HEIGHT, path

PIECES = None
COLUMNS = 400


def strip(pieces: Iterable[tuple[Span, np.ndarray]], duration: int) -> Strip | None:
    """Mono float32 at 16 kHz, each piece from where it begins, and none beyond where it ends."""
    peaks = np.zeros(COLUMNS)
    for span, samples in pieces:
        heard = np.abs(samples[: (span.end - span.start) * SAMPLING_RATE // 1000])
        ms = span.start + np.arange(len(heard)) * 1000 / SAMPLING_RATE
        np.maximum.at(peaks, np.minimum((ms * COLUMNS / duration).astype(int), COLUMNS - 1), heard)
    if not peaks.any():
        return None
    return Strip(COLUMNS, HEIGHT, outline=path(peaks))
