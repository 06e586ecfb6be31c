"""A recogniser that knows the tones of `tests.modalities.video.known` by their words."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.core import once_a_file
from pipeline.modalities.audio.content import SAMPLING_RATE
from pipeline.modalities.text import transcript
from tests.modalities.video import known

CONFIDENCE = 0.75


class Played:
    """Hears one word a whole second of an utterance, and nothing in silence.

    Parameters
    ----------
    confidence:
        Of every word.
    """

    def __init__(self, confidence: float = CONFIDENCE) -> None:
        self.confidence = confidence
        self.heard: list[dict[str, Any]] = []

    def transcribe(self, sound: np.ndarray, **how: Any) -> tuple[Iterator[Any], None]:
        self.heard.append({"samples": len(sound), **how})
        pieces = []
        for second, wave in enumerate(np.split(sound, len(sound) // SAMPLING_RATE)):
            place = (int(np.abs(np.fft.rfft(wave)).argmax()) - known.pitch(0)) // 200
            if np.abs(wave).max() > 0.01:
                pieces.append(self.piece(second, f" {known.WORDS[place]}", 1.0))
        return iter([SimpleNamespace(compression_ratio=1.0, words=pieces)]), None

    def piece(self, start: float, text: str, seconds: float = 0.5) -> Any:
        end = start + seconds
        return SimpleNamespace(start=start, end=end, word=text, probability=self.confidence)


def play(monkeypatch: pytest.MonkeyPatch, confidence: float = CONFIDENCE) -> Played:
    """In place of Whisper; all of a sound is one utterance."""
    played = Played(confidence)
    monkeypatch.setattr(transcript, "_recogniser", lambda speech: played)
    monkeypatch.setattr(transcript, "_voices", lambda sound: [(0, len(sound))])
    monkeypatch.setattr(once_a_file, "_results", {})
    return played
