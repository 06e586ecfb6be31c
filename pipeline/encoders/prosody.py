"""How a line is spoken: pitch, loudness, voice and rate of a clip as one vector; no weights.

Frames of 1024 samples (64 ms at 16 kHz) every 256, centred. Pitch is YIN's (de Cheveigné and
Kawahara, 2002, doi:10.1121/1.1458024) by librosa, in semitones above the lowest that is looked for.
A frame is voiced where it is at most 30 dB below the loudest and repeats itself after one period
with a correlation of 0.5 or more, which is its harmonicity (Boersma, 1993). Loudness is in decibels
below the loudest frame, since cleaning brings all clips to one level. Syllables are peaks of
loudness that stand out by 2 dB and are voiced (de Jong and Wempe, 2009, doi:10.3758/BRM.41.2.385).
What is taken of each track follows eGeMAPS (Eyben et al., 2016, doi:10.1109/TAFFC.2015.2457417);
`NAMES` has all of it in its order. Of a clip without a voiced frame, pitch is zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from pipeline.core.options import Options as Base
from pipeline.modalities.audio.content import SAMPLING_RATE, Content

MODALITY = "audio"
COST_MS = 15
WINDOW, HOP = 1024, 256
FRAMES_A_SECOND = SAMPLING_RATE / HOP
VOICED_DB, VOICED_CORRELATION = 30.0, 0.5
SYLLABLE_DB = 2.0
FLOOR_DB = -60.0
SPREAD = ("mean", "deviation", "20th percentile", "median", "80th percentile", "range of these")
NAMES = (
    *(f"pitch, {name}" for name in SPREAD),
    "pitch, rise in semitones a second",
    "pitch, fall in semitones a second",
    *(f"loudness, {name}" for name in SPREAD),
    "loudness, rise in dB a second",
    "loudness, fall in dB a second",
    "harmonicity, mean",
    "harmonicity, deviation",
    "voiced share",
    "voiced stretches a second",
    "voiced stretch, mean seconds",
    "voiced stretch, deviation in seconds",
    "unvoiced stretch, mean seconds",
    "unvoiced stretch, deviation in seconds",
    "syllables a second",
    "seconds",
)

Track = npt.NDArray[np.float64]


class Options(Base):
    """Between which pitches a voice is looked for, in hertz."""

    lowest: float = Field(default=65.4, ge=40, le=500, description="lowest pitch, in hertz")
    highest: float = Field(default=600.0, ge=100, le=2000, description="highest pitch, in hertz")

    @model_validator(mode="after")
    def _an_octave_at_least(self) -> Options:
        if self.highest < 2 * self.lowest:
            raise ValueError("highest is at least twice lowest")
        return self


def shape(options: Options) -> tuple[int, ...]:
    """One number for each of NAMES."""
    return (len(NAMES),)


def weights(options: Options) -> list[Path]:
    """None."""
    return []


class Encoder:
    """Clips, float32 (samples,), to vectors, one at a time."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def encode(
        self, contents: Sequence[Content]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
        """Vectors, float32 (n, D), and lengths, int32 (n,), all 1."""
        vectors = [describe(samples, self.options) for samples in contents]
        return (
            np.array(vectors, np.float32).reshape(-1, len(NAMES)),
            np.ones(len(contents), np.int32),
        )


def describe(samples: Content, options: Options) -> list[float]:
    """The values of NAMES of one clip."""
    pitch, loudness, harmonicity = tracks(samples, options)
    voiced = (loudness >= -VOICED_DB) & (harmonicity >= VOICED_CORRELATION)
    stretches = np.flatnonzero(np.diff(voiced, prepend=~voiced[:1]))
    seconds = np.diff(stretches, append=len(voiced)) / FRAMES_A_SECOND
    spoken, paused = seconds[voiced[stretches]], seconds[~voiced[stretches]]
    total = len(samples) / SAMPLING_RATE
    both = voiced[1:] & voiced[:-1]
    return [
        *_spread(pitch[voiced]),
        *_slopes(np.diff(pitch)[both]),
        *_spread(loudness),
        *_slopes(np.diff(loudness)),
        *_mean_and_deviation(harmonicity[voiced]),
        float(voiced.mean()),
        len(spoken) / total,
        *_mean_and_deviation(spoken),
        *_mean_and_deviation(paused),
        _syllables(loudness, voiced) / total,
        total,
    ]


def tracks(samples: Content, options: Options) -> tuple[Track, Track, Track]:
    """Pitch in semitones, loudness in dB and harmonicity, each of 1 + samples // HOP frames."""
    import librosa

    padded = np.pad(samples, (0, max(0, WINDOW - len(samples)))).astype(np.float64)
    hertz = librosa.yin(
        padded,
        fmin=options.lowest,
        fmax=options.highest,
        sr=SAMPLING_RATE,
        frame_length=WINDOW,
        hop_length=HOP,
    )[: 1 + len(samples) // HOP]
    centred = np.pad(padded, WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(centred, WINDOW)[::HOP][: len(hertz)]
    energy = np.sqrt((frames**2).mean(1))
    loudest = energy.max()
    relative = energy / loudest if loudest else np.ones_like(energy)
    loudness = 20 * np.log10(np.maximum(relative, 10 ** (FLOOR_DB / 20)))
    periods = np.rint(SAMPLING_RATE / hertz).astype(int)
    harmonicity = [_correlation(frame, lag) for frame, lag in zip(frames, periods, strict=True)]
    return 12 * np.log2(hertz / options.lowest), loudness, np.array(harmonicity)


def _correlation(frame: Track, lag: int) -> float:
    """Of a frame with itself `lag` samples later; 0 of silence."""
    early, late = frame[:-lag], frame[lag:]
    power = float(early @ early) * float(late @ late)
    return float(early @ late) / power**0.5 if power else 0.0


def _spread(track: Track) -> list[float]:
    if not len(track):
        return [0.0] * len(SPREAD)
    low, median, high = np.percentile(track, (20, 50, 80))
    return [float(v) for v in (track.mean(), track.std(), low, median, high, high - low)]


def _mean_and_deviation(values: Track) -> list[float]:
    return [float(values.mean()), float(values.std())] if len(values) else [0.0, 0.0]


def _slopes(steps: Track) -> list[float]:
    """Mean rise and mean fall, a second, over the frames that rise and that fall."""
    up, down = steps[steps > 0], steps[steps < 0]
    return [float(s.mean()) * FRAMES_A_SECOND if len(s) else 0.0 for s in (up, down)]


def _syllables(loudness: Track, voiced: npt.NDArray[np.bool_]) -> int:
    from scipy.signal import find_peaks

    # At both ends the floor, so that a clip that begins or ends loud has its peak.
    framed = np.concatenate([[FLOOR_DB], loudness, [FLOOR_DB]])
    peaks, _ = find_peaks(framed, prominence=SYLLABLE_DB)
    return int(voiced[peaks - 1].sum())
