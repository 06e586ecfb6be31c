"""Steady noise turned down by a spectral gate.

The noise of each frequency is estimated from its own quiet frames (Stahl, Fischer and Bippus,
"Quantile based noise estimation", ICASSP 2000), so that no recording of silence is needed; what
does not rise clearly above it is turned down, the more the fewer of its neighbours do (after the
library noisereduce, Sainburg et al., 2020). That library itself is left out: given no recording of
the noise it takes the word for noise too, it fails on clips shorter than its window, loads torch,
and takes ten times as long.
"""

from __future__ import annotations

import numpy as np

from pipeline.modalities.audio.content import Content
from pipeline.modalities.audio.spectrum import istft, power, stft

WINDOW, HOP = 512, 128
# The share of frames taken to hold noise alone.
QUIET = 0.2
# Power over the mean noise from which a cell is sound: noise alone reaches it once in 55 times.
THRESHOLD = 4.0
# Cells of a neighbourhood, in time and in frequency. Where half of one is sound, all of it passes.
SMOOTHING = 5


def spectral_gate(samples: Content, reduction_db: float) -> Content:
    """Samples of the same shape with steady noise turned down by `reduction_db`."""
    from scipy.ndimage import uniform_filter

    spectrum = stft(samples, WINDOW, HOP)
    powers = power(spectrum)
    # The power of a noise's bin is exponentially distributed, which gives its mean by a quantile.
    noise = np.quantile(powers, QUIET, axis=0) / -np.log1p(-QUIET)
    around = uniform_filter((powers > THRESHOLD * noise).astype(np.float32), SMOOTHING)
    gate = np.minimum(1, 2 * around)
    floor = np.float32(10 ** (-reduction_db / 20))
    return istft(spectrum * (floor + (1 - floor) * gate), HOP, len(samples))
