"""Short-time spectra and their inverse, clip by clip, on one thread, in librosa's conventions.

Windows are periodic Hann, frames are centred on multiples of the hop, the ends padded with zeros.
Transforms are made in float64 and kept in float32: a float32 transform loses the quiet bands, up to
0.002 dB of those 80 dB below the loudest. A few frames are transformed at a time, because a whole
clip's leave the cache and take two to three times as long; SciPy's FFT does many frames at once,
NumPy's one by one.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

Real = npt.NDArray[np.float32]
Complex = npt.NDArray[np.complex64]

# Samples transformed at a time: 128 KiB in float64.
BLOCK = 16_384


@functools.cache
def hann(size: int) -> npt.NDArray[np.float64]:
    """The periodic Hann window, shape (size,)."""
    turns = np.arange(size) / size
    window: npt.NDArray[np.float64] = 0.5 - 0.5 * np.cos(2 * np.pi * turns)
    return window


def stft(samples: Real, window: int, hop: int) -> Complex:
    """Spectrum, shape (1 + samples // hop, window // 2 + 1), of samples of shape (samples,)."""
    from scipy import fft

    half = window // 2
    padded = np.zeros(len(samples) + 2 * half, np.float32)
    padded[half : half + len(samples)] = samples
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    spectrum = np.empty((len(frames), half + 1), np.complex64)
    step = max(1, BLOCK // window)
    for start in range(0, len(frames), step):
        block = frames[start : start + step] * hann(window)
        spectrum[start : start + step] = fft.rfft(block, overwrite_x=True)
    return spectrum


def istft(spectrum: Complex, hop: int, length: int) -> Real:
    """Samples, shape (length,), of a spectrum of shape (frames, window // 2 + 1).

    The least-squares inverse: windowed frames are added up and divided by the sum of the squared
    windows (Griffin and Lim, 1984). The hop must divide the window.
    """
    from scipy import fft

    frames = fft.irfft(spectrum)
    count, window = frames.shape
    frames *= hann(window).astype(np.float32)
    overlap = window // hop
    weights = np.square(hann(window), dtype=np.float32).reshape(overlap, hop)
    total = np.zeros((count + overlap - 1, hop), np.float32)
    norm = np.zeros_like(total)
    for part in range(overlap):
        total[part : part + count] += frames[:, part * hop : (part + 1) * hop]
        norm[part : part + count] += weights[part]
    total /= np.where(norm > np.finfo(np.float32).tiny, norm, 1)
    half, samples = window // 2, np.zeros(length, np.float32)
    inner = total.reshape(-1)[half : half + length]
    samples[: len(inner)] = inner
    return samples


def power(spectrum: Complex) -> Real:
    """Squared magnitudes, same shape."""
    squares: Real = spectrum.real**2
    squares += spectrum.imag**2
    return squares


def decibels(power: Real, dynamic_range: float = 80.0) -> Real:
    """10 log10 of powers, at least 1e-10 and at most `dynamic_range` dB below the largest."""
    levels = np.log(np.maximum(power, np.float32(1e-10)))
    levels *= np.float32(10 / np.log(10))
    np.maximum(levels, levels.max() - np.float32(dynamic_range), out=levels)
    return levels
