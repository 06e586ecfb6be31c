"""Where the sound begins and ends, with the meaning of `librosa.effects.trim` where that has one.

librosa's level is the loudest frame's, which a bang sets for the speech after it. So a recording is
also asked what would be cut off: more sound than is kept is no silence.
"""

from __future__ import annotations

import numpy as np

from pipeline.modalities.audio.content import Content
from pipeline.modalities.audio.spectrum import Real

# Frames of 32 ms every 8 ms at 16 kHz.
HOP = 128
OVERLAP = 4
FRAME = OVERLAP * HOP
# Power over the recording's quiet frames, of which there are so many, from which a frame is sound.
RISE, QUIET = 10.0, 0.1


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


def bounds(
    powers: Real, length: int, top_db: float, level: np.float32 | None = None
) -> tuple[int, int]:
    """First and one past the last sample at most `top_db` below a level, the loudest frame's."""
    level = powers.max() if level is None else level
    heard = np.flatnonzero(powers > level * 10 ** (-top_db / 10))
    if not len(heard):
        return 0, 0
    return int(heard[0]) * HOP, min(length, (int(heard[-1]) + 1) * HOP)


def bounds_of_sound(powers: Real, length: int, top_db: float, silence: float) -> tuple[int, int]:
    """`bounds`, by a level that a short loud event does not set.

    Where more frames with sound would be cut off than are within `top_db` of the level, the loudest
    of them gives the level instead. A frame has sound if its mean square is above `silence` and
    RISE times that of the quiet frames: steady noise beside a word has not.
    """
    least = max(silence, RISE * float(np.quantile(powers, QUIET)))
    level = powers.max()
    while True:
        start, end = bounds(powers, length, top_db, level)
        cut = powers > least
        cut[start // HOP : end // HOP + 1] = False
        if np.count_nonzero(cut) <= np.count_nonzero(powers > level * 10 ** (-top_db / 10)):
            return start, end
        level = powers[cut].max()
