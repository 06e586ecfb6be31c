"""Short-time spectra, clip by clip: one real FFT a clip, float32, on one thread.

SciPy's FFT transforms many frames at once and is several times faster here than NumPy's. Windows
are periodic Hann, frames are centred on multiples of the hop and the ends padded with zeros, as
librosa has them.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

Real = npt.NDArray[np.float32]
Complex = npt.NDArray[np.complex64]


@functools.cache
def hann(size: int) -> Real:
    """The periodic Hann window, shape (size,)."""
    turns = np.arange(size) / size
    return (0.5 - 0.5 * np.cos(2 * np.pi * turns)).astype(np.float32)


def stft(samples: Real, window: int, hop: int) -> Complex:
    """Spectrum, shape (1 + samples // hop, window // 2 + 1), of samples of shape (samples,)."""
    from scipy import fft

    half = window // 2
    padded = np.zeros(len(samples) + 2 * half, np.float32)
    padded[half : half + len(samples)] = samples
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    spectrum: Complex = fft.rfft(frames * hann(window), overwrite_x=True)
    return spectrum


def istft(spectrum: Complex, hop: int, length: int) -> Real:
    """Samples, shape (length,), of a spectrum of shape (frames, window // 2 + 1).

    The least-squares inverse: windowed frames are added up and divided by the sum of the squared
    windows (Griffin and Lim, 1984). The hop must divide the window.
    """
    from scipy import fft

    frames = fft.irfft(spectrum)
    count, window = frames.shape
    frames *= hann(window)
    overlap = window // hop
    weights = (hann(window) ** 2).reshape(overlap, hop)
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
