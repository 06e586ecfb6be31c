"""Where the sound begins and ends, with the meaning of `librosa.effects.trim`."""

from __future__ import annotations

import numpy as np

from pipeline.modalities.audio.content import Content
from pipeline.modalities.audio.spectrum import Real

# Frames of 32 ms every 8 ms at 16 kHz.
HOP = 128
OVERLAP = 4
FRAME = OVERLAP * HOP


def frame_powers(samples: Content) -> Real:
    """Mean square of frames of FRAME samples centred on multiples of HOP, ends padded with zeros.

    Shape (1 + samples // HOP,). Each sample is squared once, for all frames that hold it.
    """
    count = 1 + len(samples) // HOP
    padded = np.zeros((count + OVERLAP - 1) * HOP, np.float32)
    half = FRAME // 2
    padded[half : half + len(samples)] = samples[: len(padded) - half]
    hops = padded.reshape(-1, HOP)
    energy = np.einsum("ij,ij->i", hops, hops)
    powers: Real = energy[:count].copy()
    for part in range(1, OVERLAP):
        powers += energy[part : part + count]
    powers /= np.float32(FRAME)
    return powers


def bounds(powers: Real, length: int, top_db: float) -> tuple[int, int]:
    """First and one past the last sample that is at most `top_db` below the loudest frame."""
    heard = np.flatnonzero(powers > powers.max() * 10 ** (-top_db / 10))
    if not len(heard):
        return 0, 0
    return int(heard[0]) * HOP, min(length, (int(heard[-1]) + 1) * HOP)
