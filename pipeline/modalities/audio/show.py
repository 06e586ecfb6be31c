"""A sound: a player, its outline and its log-mel picture.

MP3 because it is small, every browser plays it, and the encoder gives equal bytes for equal
samples; libsndfile writes a random serial number into each Ogg file.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import soundfile

from pipeline.core.media_card import CardOptions, MediaCard, uri
from pipeline.modalities.audio.content import SAMPLING_RATE
from pipeline.modalities.image.opencv import cv2
from pipeline.modalities.image.show import webp

COLUMNS, HEIGHT = 96, 32
WINDOW, HOP, BANDS = 512, 160, 48
FLOOR_DB = -70.0


def show(content: npt.NDArray[np.float32], options: CardOptions) -> MediaCard:
    """Mono float32 (samples,) in [-1, 1) at 16 kHz, cut after `options.clip` seconds."""
    heard = content[: int(options.clip * SAMPLING_RATE)]
    picture = spectrogram(heard)
    seconds = len(content) / SAMPLING_RATE
    cut = f", first {options.clip:g} s" if len(heard) < len(content) else ""
    return MediaCard(
        picture=webp(picture),
        width=picture.shape[1],
        height=picture.shape[0],
        sound=mp3(heard),
        outline=outline(heard),
        caption=f"{seconds:.1f} s{cut}",
    )


def mp3(samples: npt.NDArray[np.float32]) -> str:
    buffer = io.BytesIO()
    soundfile.write(
        buffer,
        samples,
        SAMPLING_RATE,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="VARIABLE",
        compression_level=0.6,
    )
    return uri("audio/mpeg", buffer.getvalue())


def outline(samples: npt.NDArray[np.float32]) -> str:
    """The envelope's `path` in a box COLUMNS wide."""
    if not len(samples):
        return f"M0,16H{COLUMNS}"
    edges = np.linspace(0, len(samples), COLUMNS + 1).astype(int)
    return path([np.abs(samples[a : max(b, a + 1)]).max(initial=0) for a, b in pairwise(edges)])


def path(peaks: Iterable[float]) -> str:
    """An SVG path of peaks, a column each, in a box HEIGHT high that is filled by the loudest."""
    peaks = [float(peak) for peak in peaks]
    loudest = max(peaks) or 1.0
    heights = [max(0.4, 15 * peak / loudest) for peak in peaks]
    above = [f"{i + 0.5:g},{16 - h:.1f}" for i, h in enumerate(heights)]
    below = [f"{i + 0.5:g},{16 + h:.1f}" for i, h in enumerate(heights)]
    return f"M{' L'.join(above)} L{' L'.join(reversed(below))}Z"


def spectrogram(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Log-mel energies as RGB (BANDS, frames, 3), low bands below, in cividis' colours."""
    padded = np.pad(samples.astype(np.float32), (0, max(0, WINDOW - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW).astype(np.float32))) ** 2
    energy = 10 * np.log10(np.maximum(power @ _mel().T, 1e-10))
    levels = np.clip((energy - energy.max() - FLOOR_DB) / -FLOOR_DB, 0, 1)
    grey = np.ascontiguousarray((255 * levels.T[::-1]).round().astype(np.uint8))
    return np.ascontiguousarray(cv2.applyColorMap(grey, cv2.COLORMAP_CIVIDIS)[:, :, ::-1])


@cache
def _mel() -> npt.NDArray[np.float64]:
    """Triangular filters (BANDS, WINDOW // 2 + 1), on O'Shaughnessy's mel scale."""
    top = 2595 * np.log10(1 + SAMPLING_RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, BANDS + 2) / 2595) - 1)
    bins = np.linspace(0, SAMPLING_RATE / 2, WINDOW // 2 + 1)
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rise, fall))
