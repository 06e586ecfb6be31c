"""Log-mel spectrogram as a sequence of frames, padded to a fixed shape; no weights.

At 16 kHz, windows of 512 samples (32 ms, periodic Hann) every 256 (16 ms), Slaney's mel filters
from 0 to 8 kHz: `power_to_db(melspectrogram, top_db=80)` of librosa. The 80 dB below the clip's
loudest cell are mapped to [0, 1], so that values don't depend on the recording's level and the
padding, zero, is silence. 128 frames last 2.05 s; of longer clips the beginning is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pipeline.core.options import Options as Base
from pipeline.modalities.audio.content import SAMPLING_RATE, Content
from pipeline.modalities.audio.mel import filters
from pipeline.modalities.audio.spectrum import Real, decibels, power, stft

MODALITY = "audio"
COST_MS = 0.25
RANGE_DB = 80.0


class Options(Base):
    """The fixed shape, and the resolution in samples at 16 kHz."""

    frames: int = Field(default=128, ge=1, le=10_000, description="frames of a sequence")
    bands: int = Field(default=64, ge=2, le=256, description="mel bands of a frame")
    window: int = Field(default=512, ge=64, le=8192, description="samples in a frame")
    hop: int = Field(default=256, ge=16, le=8192, description="samples from frame to frame")


def shape(options: Options) -> tuple[int, ...]:
    """(frames, bands)."""
    return options.frames, options.bands


def weights(options: Options) -> list[Path]:
    """None."""
    return []


class Encoder:
    """Clips, float32 (samples,), to padded sequences, one at a time."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def encode(
        self, contents: Sequence[Content]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
        """Sequences, float32 (n, frames, bands) in [0, 1], and their lengths in frames, int32."""
        sequences = np.zeros((len(contents), *shape(self.options)), np.float32)
        lengths = np.zeros(len(contents), np.int32)
        for row, samples in enumerate(contents):
            levels = normalised(samples, self.options)[: self.options.frames]
            sequences[row, : len(levels)] = levels
            lengths[row] = len(levels)
        return sequences, lengths


def normalised(samples: Content, options: Options) -> Real:
    """Log-mel levels as shares of the dynamic range: shape (1 + samples // hop, bands)."""
    energies = power(stft(samples, options.window, options.hop))
    levels = decibels(energies @ filters(SAMPLING_RATE, options.window, options.bands), RANGE_DB)
    levels -= levels.max() - np.float32(RANGE_DB)
    levels /= np.float32(RANGE_DB)
    return levels
