"""Descriptions of music and voice by librosa (McFee et al., 2015), frame by frame; no weights.

Windows of 2048 samples (128 ms at 16 kHz) every 512, centred, the ends padded with zeros. Chroma
and tonnetz are relative to A = 440 Hz. Pitch is pYIN's (Mauch and Dixon, 2014), from C2 to C7: its
likeliest frequency in hertz, where nothing is voiced too, and the probability that it is voiced.
Chosen descriptions stand beside each other, in the order of `features`, as statistics over time
(those of the encoder `mfcc`) or as a sequence of frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from pipeline.core.options import Options as Base
from pipeline.encoders.mfcc import STATISTICS, statistics
from pipeline.modalities.audio.content import SAMPLING_RATE, Content

MODALITY = "audio"
COST_MS = 280
# Mel bands of the onset strength: none is empty in the shortest window.
BANDS = 64
LOWEST_HZ, HIGHEST_HZ = 65.4, 2093.0

Name = Literal[
    "chroma",
    "spectral_contrast",
    "tonnetz",
    "tempo",
    "zero_crossings",
    "rms",
    "onset_strength",
    "pitch",
]
# Tracks of each description.
TRACKS: dict[Name, int] = {
    "chroma": 12,
    "spectral_contrast": 7,
    "tonnetz": 6,
    "tempo": 1,
    "zero_crossings": 1,
    "rms": 1,
    "onset_strength": 1,
    "pitch": 2,
}


class Options(Base):
    """Which descriptions, on which frames (in samples at 16 kHz), and whether over time."""

    features: tuple[Name, ...] = Field(
        default=tuple(TRACKS), min_length=1, description="descriptions, in this order"
    )
    frames: int = Field(
        default=0,
        ge=0,
        le=10_000,
        description="frames of a sequence, padded; 0: one vector of statistics over time",
    )
    window: int = Field(default=2048, ge=512, le=8192, description="samples in a frame")
    hop: int = Field(default=512, ge=64, le=8192, description="samples from frame to frame")

    @field_validator("features")
    @classmethod
    def _each_once(cls, features: tuple[Name, ...]) -> tuple[Name, ...]:
        if len(set(features)) < len(features):
            raise ValueError("name each description once")
        return features


def shape(options: Options) -> tuple[int, ...]:
    """(statistics x tracks,), statistic by statistic; (frames, tracks) of a sequence."""
    tracks = sum(TRACKS[name] for name in options.features)
    return (options.frames, tracks) if options.frames else (STATISTICS * tracks,)


def weights(options: Options) -> list[Path]:
    """None."""
    return []


class Encoder:
    """Clips, float32 (samples,), to vectors or to padded sequences, one at a time."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def encode(
        self, contents: Sequence[Content]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
        """Float32 (n, *shape) and lengths, int32 (n,): 1, or frames of which the first are kept."""
        values = np.zeros((len(contents), *shape(self.options)), np.float32)
        lengths = np.ones(len(contents), np.int32)
        for row, samples in enumerate(contents):
            described = tracks(samples, self.options)
            if self.options.frames:
                kept = described[: self.options.frames]
                values[row, : len(kept)], lengths[row] = kept, len(kept)
            else:
                statistics(described, values[row])
        return values, lengths


def tracks(samples: Content, options: Options) -> npt.NDArray[np.float32]:
    """The chosen descriptions side by side: shape (1 + samples // hop, tracks)."""
    sound = _Sound(samples, options.window, options.hop)
    described = np.vstack([DESCRIPTIONS[name](sound) for name in options.features])
    return described.T[: 1 + len(samples) // options.hop].astype(np.float32)


class _Sound:
    """A clip, made as long as a window at least, with what several descriptions ask for."""

    def __init__(self, samples: Content, window: int, hop: int) -> None:
        self.samples = np.pad(samples, (0, max(0, window - len(samples))))
        self.window, self.hop = window, hop
        self.frames: dict[str, Any] = {"frame_length": window, "hop_length": hop}

    @cached_property
    def magnitudes(self) -> Any:
        import librosa

        return np.abs(librosa.stft(self.samples, n_fft=self.window, hop_length=self.hop))

    @cached_property
    def chroma(self) -> Any:
        import librosa

        # Without a given tuning it is estimated, which warns of silence.
        return librosa.feature.chroma_stft(S=self.magnitudes**2, sr=SAMPLING_RATE, tuning=0.0)

    @cached_property
    def onset_strength(self) -> Any:
        import librosa

        mel = librosa.feature.melspectrogram(
            S=self.magnitudes**2, sr=SAMPLING_RATE, n_fft=self.window, n_mels=BANDS
        )
        return librosa.onset.onset_strength(
            S=librosa.power_to_db(mel), sr=SAMPLING_RATE, hop_length=self.hop, n_fft=self.window
        )


def _spectral_contrast(sound: _Sound) -> Any:
    import librosa

    return librosa.feature.spectral_contrast(S=sound.magnitudes, sr=SAMPLING_RATE)


def _tonnetz(sound: _Sound) -> Any:
    import librosa

    return librosa.feature.tonnetz(chroma=sound.chroma, sr=SAMPLING_RATE)


def _tempo(sound: _Sound) -> Any:
    import librosa

    return librosa.feature.tempo(
        onset_envelope=sound.onset_strength,
        sr=SAMPLING_RATE,
        hop_length=sound.hop,
        aggregate=None,
    )


def _zero_crossings(sound: _Sound) -> Any:
    import librosa

    return librosa.feature.zero_crossing_rate(sound.samples, **sound.frames)


def _rms(sound: _Sound) -> Any:
    import librosa

    return librosa.feature.rms(y=sound.samples, **sound.frames)


def _pitch(sound: _Sound) -> Any:
    import librosa

    hertz, _, voiced = librosa.pyin(
        sound.samples,
        fmin=LOWEST_HZ,
        fmax=HIGHEST_HZ,
        sr=SAMPLING_RATE,
        fill_na=None,
        **sound.frames,
    )
    return np.stack([hertz, voiced])


# Each of shape (tracks, frames), or (frames,) where it is one track.
DESCRIPTIONS: dict[Name, Callable[[_Sound], Any]] = {
    "chroma": lambda sound: sound.chroma,
    "spectral_contrast": _spectral_contrast,
    "tonnetz": _tonnetz,
    "tempo": _tempo,
    "zero_crossings": _zero_crossings,
    "rms": _rms,
    "onset_strength": lambda sound: sound.onset_strength,
    "pitch": _pitch,
}
