"""Sound → the words that are spoken in it, each with its time and how sure it is.

A detector of voices goes first, since Whisper invents words where nobody speaks. What it finds is
parted into utterances of less than Whisper's window of 30 s, each of which is recognised by itself:
words depend on the utterance alone, and a fault goes no further.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.spans import Span
from pipeline.modalities.audio.content import SAMPLING_RATE, Content
from pipeline.modalities.text.speech import Speech, folder, missing
from pipeline.modalities.text.subtitles import Cue, is_shown

# Of the detector: how sure it must be, the silence between utterances and what is heard before and
# behind each, in ms, and the longest utterance in seconds.
VOICE, SILENCE_MS, PADDING_MS, LONGEST = 0.5, 500, 200, 28.0
# Bytes of text by those that they compress to, above which Whisper goes round in circles (its
# authors' value).
REPEATS = 2.4
BEAMS = 5
# Tokens that an utterance may have, and for each of its seconds: nobody speaks faster, and without
# a bound Whisper may go on until its own, which takes a hundred times as long.
TOKENS, TOKENS_A_SECOND = 16, 12


class Word(NamedTuple):
    """What is said from `start` until `end`, in ms, with the blank before it where it has one.

    `confidence` is the recogniser's, 0 to 1.
    """

    start: int
    end: int
    text: str
    confidence: float


Utterance = tuple[Word, ...]


def words(
    utterances: Sequence[Utterance], span: Span | None, min_confidence: float
) -> tuple[str, float]:
    """What is said at some time of the span, or at any, and the mean confidence of its words.

    Raises
    ------
    Rejected
        `absent`: nobody speaks then; `unclear`: what is said is not understood.
    """
    understood: list[Word] = []
    is_unclear = False
    for utterance in utterances:
        within = [word for word in utterance if span is None or is_shown(Cue(*word[:3]), span)]
        if sum(word.confidence for word in utterance) >= min_confidence * len(utterance):
            understood += within
        else:
            is_unclear |= bool(within)
    at_that_time = " at that time" if span else ""
    if not understood and is_unclear:
        raise Rejected("unclear", f"what is spoken{at_that_time} is not understood")
    if not understood:
        raise Rejected("absent", f"nobody speaks in it{at_that_time}")
    text = "".join(word.text for word in understood).strip()
    return text, sum(word.confidence for word in understood) / len(understood)


def recognised(sound: Content, speech: Speech) -> tuple[Utterance, ...]:
    """The utterances of sound, float32 (samples,) at 16 kHz, that have words."""
    utterances = []
    for start, end in _voices(sound):
        segments, _ = _recogniser(speech).transcribe(
            sound[start:end],
            language=speech.language,
            beam_size=BEAMS,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
            max_new_tokens=TOKENS + TOKENS_A_SECOND * (end - start) // SAMPLING_RATE,
        )
        sane = (segment for segment in segments if segment.compression_ratio < REPEATS)
        pieces = [piece for segment in sane for piece in segment.words]
        begin, stop = (round(1000 * place / SAMPLING_RATE) for place in (start, end))
        utterances.append(_words(pieces, begin, stop))
    return tuple(utterance for utterance in utterances if utterance)


def _words(pieces: Sequence[Any], begin: int, end: int) -> Utterance:
    """Words on the sound's own time; what Whisper parts at a hyphen or a point is one."""
    words: list[Word] = []
    for piece in pieces:
        start, stop = (min(begin + round(1000 * float(at)), end) for at in (piece.start, piece.end))
        sure = float(piece.probability)
        first = piece.word[:1]
        if words and not first.isspace() and not first.isalnum():
            last = words.pop()
            word = Word(last.start, stop, last.text + piece.word, min(last.confidence, sure))
        else:
            word = Word(start, stop, piece.word, sure)
        words.append(word)
    return tuple(word for word in words if any(letter.isalnum() for letter in word.text))


def _voices(sound: Content) -> list[tuple[int, int]]:
    """Where somebody speaks: samples [start, end)."""
    _library()
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(
        threshold=VOICE,
        min_silence_duration_ms=SILENCE_MS,
        speech_pad_ms=PADDING_MS,
        max_speech_duration_s=LONGEST,
    )
    return [(voice["start"], voice["end"]) for voice in get_speech_timestamps(sound, options)]


@functools.lru_cache(maxsize=1)
def _recogniser(speech: Speech) -> Any:
    """Whisper on one thread, from a folder; nothing is asked of a network."""
    place = folder(speech)
    try:
        return _library().WhisperModel(
            str(place), device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise PipelineError(f"{place} holds no Whisper that can be loaded: {error}") from None


def _library() -> Any:
    """faster-whisper.

    Raises
    ------
    PipelineError
        It is not installed.
    """
    try:
        import faster_whisper
    except ImportError:
        raise missing() from None
    return faster_whisper
