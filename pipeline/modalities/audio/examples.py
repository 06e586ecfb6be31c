"""Sounds for the tests that hold for all modalities and encoders."""

from __future__ import annotations

import io
import wave

import numpy as np

from pipeline.modalities.audio.content import Content

TELLS_DAMAGE = True
SAMPLING_RATE = 22_050


def files() -> dict[str, bytes]:
    return {"audio/wav": wav(), "audio/ogg": ogg()}


def contents() -> list[Content]:
    rng = np.random.default_rng(0)
    lengths = [1_600, 16_000, 23_456, 50_000, 160]
    return [rng.uniform(-0.5, 0.5, length).astype(np.float32) for length in lengths]


def chirp(seconds: float = 0.6) -> np.ndarray:
    """A tone that rises, between silences, as int16."""
    time = np.arange(int(seconds * SAMPLING_RATE)) / SAMPLING_RATE
    loudness = np.sin(np.pi * np.clip((time - 0.1) / (seconds - 0.2), 0, 1))
    return (12_000 * loudness * np.sin(2 * np.pi * (300 + 600 * time) * time)).astype("<i2")


def wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(SAMPLING_RATE)
        writer.writeframes(chirp().tobytes())
    return file.getvalue()


def ogg() -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, chirp(), SAMPLING_RATE, format="OGG", subtype="VORBIS")
    return file.getvalue()
