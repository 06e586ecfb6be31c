"""From a file's bytes to mono sound at 16 kHz, trimmed and levelled, or to a reason why not."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pipeline.core.errors import Rejected
from pipeline.core.options import Options as Base
from pipeline.modalities.audio.content import SAMPLING_RATE, Content, pack, unpack
from pipeline.modalities.audio.decode import decode
from pipeline.modalities.audio.denoise import spectral_gate
from pipeline.modalities.audio.recording import Recording
from pipeline.modalities.audio.trim import bounds_of_sound, frame_powers

# CPU milliseconds a clip of 1.5 s takes, most of it decoding.
COST_MS = 2.8

# Of the file: duration (s), sampling_rate (Hz), channels, cancelled (share of its energy in frames
# whose channels cancel in their mean), peak (1 is full scale), clipped (share of samples at full
# scale). Of the cleaning: trimmed (s cut off), rms_dbfs (level of what is left, before levelling),
# gain_db (by which it was levelled).
MEASUREMENTS: tuple[tuple[str, str], ...] = (
    ("duration", "float32"),
    ("sampling_rate", "int32"),
    ("channels", "int32"),
    ("cancelled", "float32"),
    ("peak", "float32"),
    ("clipped", "float32"),
    ("trimmed", "float32"),
    ("rms_dbfs", "float32"),
    ("gain_db", "float32"),
)
CUT = ("trimmed", "duration")

FULL_SCALE = 0.999
# From this share of cancelled energy on, the loudest channel stands for all: in a tenth of it there
# may be a word, and channels that differ without opposing each other have far less.
CANCELLED = 0.1
# Seconds over which channels are held against their mean.
FRAME_SECONDS = 0.032
# Times full scale; nothing recorded lies above, and squares of more overflow.
LOUDEST = 1e6


class Options(Base):
    """What counts as a good recording, and how it is made uniform."""

    max_seconds: float = Field(
        default=30.0, gt=0, le=3600, description="longest file accepted, in seconds"
    )
    min_seconds: float = Field(
        default=0.1,
        ge=0.001,
        description="shortest sound accepted once silence is cut off, in seconds",
    )
    max_channels: int = Field(default=8, ge=1, le=64, description="most channels accepted")
    max_clipped: float = Field(
        default=0.25, ge=0, le=1, description="largest share of samples at full scale accepted"
    )
    silence_dbfs: float = Field(
        default=-60.0,
        ge=-120,
        le=0,
        description="a file whose loudest 32 ms lie below is silent, in dB of full scale (RMS)",
    )
    trim_db: float | None = Field(
        default=30.0,
        gt=0,
        le=120,
        description="ends this many dB below the loudest 32 ms are cut off as silence; empty: none "
        "are, so that times stay those of the file",
    )
    denoise: Literal["none", "spectral_gate"] = Field(
        default="none", description="how steady noise is reduced"
    )
    denoise_db: float = Field(
        default=12.0, ge=0, le=60, description="by how many dB denoising turns noise down"
    )
    level_dbfs: float = Field(
        default=-23.0, ge=-60, le=0, description="level of every clip, in dB of full scale (RMS)"
    )
    peak_dbfs: float = Field(
        default=-1.0,
        ge=-60,
        le=-0.1,
        description="highest peak that levelling may make, in dB of full scale",
    )


def most_bytes(size: int, options: Options) -> int:
    """Bytes that a recording of `size` bytes may take once it is clean: int16, whatever its own."""
    return 2 * math.ceil(options.max_seconds * SAMPLING_RATE)


def clean(data: bytes, media_type: str, options: Options) -> tuple[Content, dict[str, int | float]]:
    """Mono float32 samples, shape (samples,), as they will be stored, and MEASUREMENTS.

    The format is told from the bytes; `media_type` is not believed. Raises Rejected: what `decode`
    raises, and `not_finite`, `clipped`, `silent`, `too_short`.
    """
    recording = decode(data, options.max_seconds, options.max_channels)
    peak, clipped = _check_samples(recording, options)
    channel, cancelled = mono(recording)
    sound = resample(channel, recording.sampling_rate)
    sound -= sound.mean()
    if options.denoise == "spectral_gate":
        sound = spectral_gate(sound, options.denoise_db)
    kept = _trim(sound, options)
    rms_dbfs, gain_db = _level(kept, options)
    levelled = kept * np.float32(10 ** (gain_db / 20))
    frames, channels = recording.samples.shape
    return unpack(*pack(levelled)), {
        "duration": frames / recording.sampling_rate,
        "sampling_rate": recording.sampling_rate,
        "channels": channels,
        "cancelled": cancelled,
        "peak": peak,
        "clipped": clipped,
        "trimmed": (len(sound) - len(kept)) / SAMPLING_RATE,
        "rms_dbfs": rms_dbfs,
        "gain_db": gain_db,
    }


def _check_samples(recording: Recording, options: Options) -> tuple[float, float]:
    """Peak and clipped share; Rejected where a recording has no samples or impossible ones."""
    _check_length(len(recording.samples) / recording.sampling_rate, options)
    magnitudes = np.abs(recording.samples)
    peak = peak_of(magnitudes)
    # Floating-point numbers may go beyond 1; flat tops are then at their peak.
    top = FULL_SCALE * (max(1.0, peak) if recording.is_float else 1.0)
    clipped = float(np.count_nonzero(magnitudes >= top) / magnitudes.size)
    if clipped > options.max_clipped:
        raise Rejected(
            "clipped",
            f"{clipped:.0%} of samples at full scale; accepted are {options.max_clipped:.0%}",
        )
    return peak, clipped


def peak_of(magnitudes: npt.NDArray[np.float32]) -> float:
    """The largest; Rejected (`not_finite`) where it is no number, or none that was recorded."""
    peak = float(magnitudes.max())
    if not peak <= LOUDEST:  # true for NaN as well
        raise Rejected("not_finite", "samples are not numbers, or far outside any scale")
    return peak


def _check_length(seconds: float, options: Options) -> None:
    if seconds < options.min_seconds:
        raise Rejected(
            "too_short",
            f"{seconds:.3f} s of sound; accepted are at least {options.min_seconds:g} s",
        )


def mono(recording: Recording) -> tuple[Content, float]:
    """The mean of the channels, or the loudest of them where they cancel; and how far they do.

    Column by column: a mean along rows takes 20 times as long. Channels cancel in a frame whose
    mean has less than half the power that it would have if they had nothing to do with each other
    (for two channels: whose correlation is below -0.5). Constant offsets do not count.
    """
    first, *others = recording.samples.T
    total: Content = first.copy()
    for channel in others:
        total += channel
    total *= np.float32(1 / (1 + len(others)))
    if not others:
        return total, 0.0
    length = max(1, round(FRAME_SECONDS * recording.sampling_rate))
    energies = np.stack([_frame_energies(channel, length) for channel in recording.samples.T])
    mean = energies.mean(axis=0)
    cancels = _frame_energies(total, length) < mean / (2 * len(energies))
    cancelled = float(mean[cancels].sum() / max(mean.sum(), np.finfo(np.float64).tiny))
    if cancelled >= CANCELLED:
        energy = energies.sum(axis=1)
        # The first of equals, which rounding does not choose between.
        total = recording.samples[:, np.argmax(energy >= 0.99 * energy.max())].copy()
    return total, cancelled


def _frame_energies(channel: Content, length: int) -> npt.NDArray[np.float64]:
    """Sums of squares about the channel's mean of frames of `length`, the last one padded."""
    centred = channel - channel.mean()
    frames = np.pad(centred, (0, -len(centred) % length)).reshape(-1, length)
    energies: npt.NDArray[np.float64] = np.einsum("ij,ij->i", frames, frames).astype(np.float64)
    return energies


def resample(sound: Content, sampling_rate: int) -> Content:
    """16 kHz by soxr at its quality HQ: lower ones differ audibly, higher ones do not."""
    if sampling_rate == SAMPLING_RATE:
        return sound
    import soxr

    resampled: Content = soxr.resample(sound, sampling_rate, SAMPLING_RATE, quality="HQ")
    return resampled


def _trim(sound: Content, options: Options) -> Content:
    powers = frame_powers(sound)
    silence = 10 ** (options.silence_dbfs / 10)
    if powers.max() <= silence:
        raise Rejected("silent", f"nothing in it is louder than {options.silence_dbfs:g} dBFS")
    if options.trim_db is None:
        return sound
    start, end = bounds_of_sound(powers, len(sound), options.trim_db, silence)
    _check_length((end - start) / SAMPLING_RATE, options)
    return sound[start:end]


def _level(sound: Content, options: Options) -> tuple[float, float]:
    """RMS level in dBFS, and the gain in dB to the wanted level that keeps peaks below theirs.

    RMS rather than loudness by BS.1770, whose gates work on blocks of 400 ms: single words are
    shorter than that. A gain alone, no limiter, so that no clip is distorted.
    """
    rms_dbfs = 10 * np.log10(np.mean(np.square(sound)))
    peak_dbfs = 20 * np.log10(np.abs(sound).max())
    gain_db = min(options.level_dbfs - rms_dbfs, options.peak_dbfs - peak_dbfs)
    return float(rms_dbfs), float(gain_db)
