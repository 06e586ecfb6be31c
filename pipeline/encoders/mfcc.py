"""MFCC and log-mel bands of a clip with their statistics: one vector, no weights.

20 mel-frequency cepstral coefficients (Davis and Mermelstein, 1980) and 64 log-mel bands, both from
one mel spectrogram: at 16 kHz, windows of 512 samples (32 ms, periodic Hann) every 160 (10 ms),
Slaney's mel filters from 0 to 8 kHz, decibels no more than 80 below the clip's loudest, orthonormal
DCT-II. They equal, to 1e-3 dB, `librosa.feature.mfcc` and `power_to_db(melspectrogram)` at these
parameters. Of each of the 84 tracks over time: mean, standard deviation, minimum, maximum, and mean
absolute difference between neighbouring frames, which tells a steady sound from a moving one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from pipeline.core.options import Options as Base
from pipeline.modalities.audio.content import SAMPLING_RATE, Content
from pipeline.modalities.audio.mel import cosines, filters
from pipeline.modalities.audio.spectrum import Real, decibels, power, stft

MODALITY = "audio"
COST_MS = 0.5
STATISTICS = 5


class Options(Base):
    """The resolution of the spectrogram, in samples at 16 kHz, and of its two descriptions."""

    window: int = Field(default=512, ge=64, le=8192, description="samples in a frame")
    hop: int = Field(default=160, ge=16, le=8192, description="samples from frame to frame")
    bands: int = Field(default=64, ge=2, le=256, description="log-mel bands")
    coefficients: int = Field(default=20, ge=1, le=256, description="cepstral coefficients")

    @model_validator(mode="after")
    def _coefficients_fit(self) -> Options:
        if self.coefficients > self.bands:
            raise ValueError(f"coefficients are at most bands, which are {self.bands}")
        return self


def shape(options: Options) -> tuple[int, ...]:
    """(statistics x (coefficients + bands),), statistic by statistic."""
    return (STATISTICS * (options.coefficients + options.bands),)


def weights(options: Options) -> list[Path]:
    """None."""
    return []


class Encoder:
    """Clips, float32 (samples,), to vectors, one at a time: what fits the cache is fastest."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def encode(
        self, contents: Sequence[Content]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
        """Vectors, float32 (n, D), and lengths, int32 (n,), all 1."""
        vectors = np.empty((len(contents), *shape(self.options)), np.float32)
        for row, samples in zip(vectors, contents, strict=True):
            statistics(tracks(samples, self.options), row)
        return vectors, np.ones(len(contents), np.int32)


def tracks(samples: Content, options: Options) -> Real:
    """Cepstral coefficients, then log-mel bands in dB: shape (frames, coefficients + bands)."""
    energies = power(stft(samples, options.window, options.hop))
    levels = decibels(energies @ filters(SAMPLING_RATE, options.window, options.bands))
    return np.hstack([levels @ cosines(options.bands, options.coefficients), levels])


def statistics(tracks: Real, out: Real) -> None:
    """Mean, deviation, minimum, maximum and mean absolute step of each track, into `out`."""
    mean, deviation, low, high, step = out.reshape(STATISTICS, -1)
    tracks.mean(axis=0, out=mean)
    tracks.std(axis=0, out=deviation)
    tracks.min(axis=0, out=low)
    tracks.max(axis=0, out=high)
    np.abs(np.diff(tracks, axis=0)).sum(axis=0, out=step)
    step /= max(1, len(tracks) - 1)
