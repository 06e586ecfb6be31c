"""The mel scale of Slaney's Auditory Toolbox (1998): linear to 1 kHz, logarithmic above.

Equal to librosa's (`htk=False`, `norm="slaney"`), without the two seconds that its import takes.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

LINEAR_HERTZ = 200 / 3
BEND_HERTZ = 1_000.0
BEND_MEL = BEND_HERTZ / LINEAR_HERTZ
STEP = np.log(6.4) / 27


def mel(hertz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Hertz to mel."""
    hertz = np.asarray(hertz, np.float64)
    above = BEND_MEL + np.log(np.maximum(hertz, BEND_HERTZ) / BEND_HERTZ) / STEP
    return np.where(hertz < BEND_HERTZ, hertz / LINEAR_HERTZ, above)


def hertz(mel: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Mel to hertz."""
    mel = np.asarray(mel, np.float64)
    above = BEND_HERTZ * np.exp(STEP * (np.maximum(mel, BEND_MEL) - BEND_MEL))
    return np.where(mel < BEND_MEL, mel * LINEAR_HERTZ, above)


@functools.cache
def filters(sampling_rate: int, window: int, bands: int) -> npt.NDArray[np.float32]:
    """Triangular filters of unit area from 0 Hz to half the sampling rate.

    Shape (window // 2 + 1, bands), so that `power @ filters` gives the bands of each frame.
    """
    bins = np.linspace(0, sampling_rate / 2, window // 2 + 1)[:, None]
    edges = hertz(np.linspace(0, mel(sampling_rate / 2), bands + 2))
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    triangles = np.maximum(0, np.minimum(rising, falling)) * (2 / (high - low))
    return np.ascontiguousarray(triangles, np.float32)


@functools.cache
def cosines(bands: int, coefficients: int) -> npt.NDArray[np.float32]:
    """The orthonormal discrete cosine transform II, shape (bands, coefficients)."""
    angles = np.pi / bands * (np.arange(bands)[:, None] + 0.5) * np.arange(coefficients)
    matrix = np.cos(angles) * np.sqrt(2 / bands)
    matrix[:, 0] /= np.sqrt(2)
    return np.ascontiguousarray(matrix, np.float32)
