"""Recordings, of which the words that are spoken are text."""

from __future__ import annotations

import numpy as np

from pipeline.core.errors import Rejected
from pipeline.core.once_a_file import once_a_file
from pipeline.core.spans import Span
from pipeline.modalities.audio import MEDIA_TYPES as RECORDINGS
from pipeline.modalities.audio.clean import mono, peak_of, resample
from pipeline.modalities.audio.content import Content
from pipeline.modalities.audio.decode import decode
from pipeline.modalities.audio.recording import Recording
from pipeline.modalities.text.clean import Options
from pipeline.modalities.text.speech import Speech
from pipeline.modalities.text.transcript import Utterance, recognised, words

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
        `absent`, `unclear`, and what decoding raises.
    """
    speech = options.speech
    if speech is None:
        raise Rejected("absent", "`clean.text.speech` does not say what recognises speech")
    text, confidence = words(_utterances(data, speech), span, speech.min_confidence)
    return text.encode(), {"confidence": confidence}


@once_a_file
def _utterances(data: bytes, speech: Speech) -> tuple[Utterance, ...]:
    recording = decode(data, speech.max_seconds, speech.max_channels)
    return recognised(to_mono_16k(recording), speech)


def to_mono_16k(recording: Recording) -> Content:
    """float32 (samples,) at 16 kHz as cleaning has it, but not trimmed, so that times hold.

    Raises
    ------
    Rejected
        `not_finite`; `absent`: it has no samples.
    """
    if not len(recording.samples):
        raise Rejected("absent", "it has no sound")
    peak_of(np.abs(recording.samples))
    return resample(mono(recording)[0], recording.sampling_rate)
