"""Recordings, of which the words that are spoken are text."""

from __future__ import annotations

import numpy as np

from pipeline.core.errors import Rejected
from pipeline.core.spans import Span
from pipeline.modalities.audio import MEDIA_TYPES as RECORDINGS
from pipeline.modalities.audio.content import SAMPLING_RATE, Content
from pipeline.modalities.audio.decode import decode
from pipeline.modalities.audio.recording import Recording
from pipeline.modalities.text.clean import Options
from pipeline.modalities.text.speech import Speech
from pipeline.modalities.text.transcript import transcript, words

MEDIA_TYPES = frozenset(recording.name for recording in RECORDINGS)
GIVES = frozenset({"text"})


def parameters() -> dict[str, str]:
    """Nothing: what the recogniser is stands in the parameters of text's cleaning."""
    return {}


def take(
    data: bytes, modality: str, span: Span | None, options: Options
) -> tuple[bytes, dict[str, float]]:
    """The words, as UTF-8, and how sure they are.

    Raises
    ------
    Rejected
        `absent`, `unclear`, `no_recogniser`, and what decoding raises.
    """
    speech = options.speech
    if speech is None:
        raise Rejected("no_recogniser", "`clean.text.speech` does not say what recognises speech")
    utterances = transcript(data, lambda: _listen(data, speech), speech)
    text, confidence = words(utterances, span, speech.min_confidence)
    return text.encode(), {"confidence": confidence}


def _listen(data: bytes, speech: Speech) -> Content:
    return heard(decode(data, speech.max_seconds, speech.max_channels))


def heard(recording: Recording) -> Content:
    """The mean of the channels, float32 (samples,) at 16 kHz; not trimmed, so that times hold.

    Raises
    ------
    Rejected
        `not_finite`.
    """
    import soxr

    if not np.isfinite(recording.samples).all():
        raise Rejected("not_finite", "samples are not numbers")
    mono = recording.samples.mean(axis=1, dtype=np.float32)
    sound: Content = soxr.resample(mono, recording.sampling_rate, SAMPLING_RATE, quality="HQ")
    return sound
