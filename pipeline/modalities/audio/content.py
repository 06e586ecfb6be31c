"""What audio is in memory, mono float32 at 16 kHz, and how it is stored, 16-bit PCM."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

# Samples a second of all audio in memory and in the store.
SAMPLING_RATE = 16_000
# Mono samples, shape (samples,), in [-1, 1).
Content = npt.NDArray[np.float32]

STEPS = 32_768


def pack(content: Content) -> tuple[bytes, tuple[int, ...]]:
    """Little-endian int16 PCM and the shape (samples,). Samples outside [-1, 1) are held at it."""
    steps = np.clip(np.rint(content * STEPS), -STEPS, STEPS - 1).astype("<i2")
    return steps.tobytes(), steps.shape


def unpack(data: bytes, shape: Sequence[int]) -> Content:
    """Float32 samples of shape (samples,) from int16 PCM; the inverse of `pack`, exactly."""
    return np.frombuffer(data, "<i2").reshape(tuple(shape)).astype(np.float32) / np.float32(STEPS)
