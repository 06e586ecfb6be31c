"""A sound by any encoder of sounds: each of its windows encoded, in order, with its time.

Windows of `seconds` begin each `hop` seconds, as those of `pipeline segment` do, until one reaches
the end; the last is cut short there. A window in which there is nothing to hear is left out, and
the others say by their times where they belong; a sound of nothing else is refused. Of more than
`windows` that are left, some are taken evenly.

A window's time is its middle, in seconds from the beginning of the cleaned sound, which is that of
the file where `clean.audio.trim_db` is empty. Then it is on one axis with the pictures of `frames`,
and what attends over both finds what was heard when something was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from pipeline.core.errors import Rejected
from pipeline.core.spans import evenly
from pipeline.encoders import _parts
from pipeline.encoders._parts import OfParts, vectors, width
from pipeline.modalities.audio.content import SAMPLING_RATE, Content

MODALITY = "audio"
COST_MS = 10.0
LICENCE = "that of the encoder of sounds"
weights, parameters, modules = _parts.weights, _parts.parameters, _parts.modules
# Samples of a last window at least, if it is not the only one: of less no spectrum can be told.
LEAST = SAMPLING_RATE // 10


class Options(OfParts):
    """Which encoder, of which windows."""

    PARTS: ClassVar[str] = "sounds"
    PARTS_MODALITY: ClassVar[str] = "audio"
    EXAMPLE: ClassVar[str] = "mfcc"

    sounds: dict[str, Any] = Field(
        {"encoder": "mfcc"},
        description="encoder of sounds, with its options, as a set of its own has them",
    )
    seconds: float = Field(1.0, ge=0.1, le=60, description="length of a window")
    hop: float = Field(0.5, ge=0.05, le=60, description="from the beginning of one to the next")
    windows: int = Field(
        32,
        ge=1,
        le=1000,
        description="most windows that are encoded, evenly chosen of those that are heard",
    )
    least_dbfs: float = Field(
        -60.0,
        ge=-120,
        le=0,
        description="a window whose level lies below is left out, in dB of full scale (RMS)",
    )
    times: bool = Field(
        True, description="whether each window ends with the time of its middle, in seconds"
    )


def shape(options: Options) -> tuple[int, int]:
    """(windows, D), with one number more for times; raises what `_parts.width` does."""
    return options.windows, width(options) + options.times


class Encoder:
    """Clips, float32 (samples,), to padded sequences, one at a time."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._encoder = options.kind.Encoder(options.inner)

    def encode(self, contents: Sequence[Content]) -> tuple[np.ndarray, np.ndarray]:
        """Values, float32 (n, *shape), and how many windows of each, int32 (n,).

        Raises
        ------
        Rejected
            `silent`: no window of a clip is as loud as `least_dbfs`.
        """
        values = np.zeros((len(contents), *shape(self.options)), np.float32)
        lengths = np.zeros(len(contents), np.int32)
        for row, samples in enumerate(contents):
            chosen = audible_windows(samples, self.options)
            if not chosen:
                raise Rejected(
                    "silent",
                    f"no window of it is louder than {self.options.least_dbfs:g} dBFS",
                )
            parts = [samples[start:end] for start, end in chosen]
            made = vectors(self._encoder, parts, self.options)
            values[row, : len(made), : made.shape[1]] = made
            if self.options.times:
                middles = [(start + end) / (2 * SAMPLING_RATE) for start, end in chosen]
                values[row, : len(made), -1] = middles
            lengths[row] = len(made)
        return values, lengths


def audible_windows(samples: Content, options: Options) -> list[tuple[int, int]]:
    """The windows that are encoded, as [start, end) in samples."""
    length, hop = round(options.seconds * SAMPLING_RATE), round(options.hop * SAMPLING_RATE)
    starts = range(0, max(1, len(samples) - length + hop), hop)
    if len(starts) > 1 and len(samples) - starts[-1] < LEAST:
        starts = starts[:-1]
    spans = [(start, min(start + length, len(samples))) for start in starts]
    least = 10 ** (options.least_dbfs / 10)
    audible = [
        (start, end)
        for start, end in spans
        if np.square(samples[start:end], dtype=np.float64).mean() >= least
    ]
    return [audible[place] for place in evenly(len(audible), options.windows)]
