"""What is spoken becomes words on the time axis of subtitles, and is never invented."""

from __future__ import annotations

import importlib.util
import io
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.spans import Span
from pipeline.inference.encoding import Encoding
from pipeline.inference.inputs import samples_of
from pipeline.inference.samples import read_asset
from pipeline.modalities.audio import tracks
from pipeline.modalities.audio.tracks import take as of_recording
from pipeline.modalities.text import speech, transcript
from pipeline.modalities.text.clean import COST_MS, SPOKEN_MS, Options, parameters
from pipeline.modalities.text.speech import Speech
from pipeline.modalities.text.transcript import Word, recognised, words
from pipeline.params import parse
from pipeline.parts.fingerprint import fingerprint
from pipeline.raw.roots import Raw
from pipeline.stages.work.clean import Clean
from tests.modalities.text.played import CONFIDENCE, play
from tests.modalities.video import known

OPTIONS = Options(speech=Speech())
UTTERANCES = (
    (Word(0, 400, " red", 0.9), Word(400, 1000, " fox", 0.7)),
    (Word(5000, 5600, " mumbled", 0.1),),
)
has_recogniser = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("faster_whisper", speech.WEIGHTS))),
    reason="faster-whisper or its weights are not installed",
)


def wav(samples: np.ndarray, rate: int = known.RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV")
    return file.getvalue()


def test_words_of_a_span_are_those_said_at_some_time_of_it() -> None:
    assert words(UTTERANCES, None, 0.5) == ("red fox", pytest.approx(0.8))
    assert words(UTTERANCES, Span(0, 400), 0.5) == ("red", 0.9)
    assert words(UTTERANCES, Span(399, 401), 0.5) == ("red fox", pytest.approx(0.8))
    assert words(UTTERANCES, None, 0.1)[0] == "red fox mumbled"


@pytest.mark.parametrize(
    ("span", "reason"), [(Span(1000, 5000), "absent"), (Span(5000, 6000), "unclear")]
)
def test_without_clear_speech_there_is_a_reason(span: Span, reason: str) -> None:
    with pytest.raises(Rejected) as refused:
        words(UTTERANCES, span, 0.5)
    assert refused.value.reason == reason


def test_a_recording_is_heard_on_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch)
    later = np.concatenate([np.zeros(known.RATE, np.int16), known.tones(3)])
    stereo = np.stack([later, later], axis=1)
    data, measured = of_recording(wav(stereo), "text", None, OPTIONS)
    assert data == b"zero one two"
    assert measured == {"confidence": CONFIDENCE}
    # The file's own second.
    assert of_recording(wav(stereo), "text", Span(2000, 3000), OPTIONS)[0] == b"one"
    # Another file, and the same one only once.
    assert of_recording(wav(known.tones(1)), "text", None, OPTIONS)[0] == b"zero"
    assert [call["samples"] for call in played.heard] == [4 * known.RATE, known.RATE]
    assert all(call["temperature"] == 0 for call in played.heard)


def test_channels_in_opposite_phase_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch)
    tones = known.tones(2)
    data, _ = of_recording(wav(np.stack([tones, -tones], axis=1)), "text", None, OPTIONS)
    assert data == b"zero one"


@pytest.mark.parametrize(
    ("sound", "options", "reason"),
    [
        (known.tones(2), Options(), "absent"),
        (known.tones(2), Options(speech=Speech(max_seconds=1)), "too_long"),
        (np.full(known.RATE, np.nan, np.float32), OPTIONS, "not_finite"),
        (np.full(known.RATE, 1e7, np.float32), OPTIONS, "not_finite"),
        (np.zeros(known.RATE, np.int16), OPTIONS, "absent"),
        (np.zeros((0, 2), np.int16), OPTIONS, "absent"),
    ],
)
def test_recordings_without_words_are_refused(
    sound: np.ndarray, options: Options, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch)
    file = io.BytesIO()
    kind = "FLOAT" if sound.dtype == np.float32 else "PCM_16"
    soundfile.write(file, sound, known.RATE, format="WAV", subtype=kind)
    with pytest.raises(Rejected) as refused:
        of_recording(file.getvalue(), "text", None, options)
    assert refused.value.reason == reason


def test_what_cannot_be_heard_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch)
    decoded = []
    decode = tracks.decode
    monkeypatch.setattr(tracks, "decode", lambda *of: decoded.append(of) or decode(*of))
    data, options = wav(known.tones(2)), Options(speech=Speech(max_seconds=1))
    for span in (Span(0, 500), Span(500, 1000)):
        with pytest.raises(Rejected, match=r"2\.0 s; accepted are at most 1 s"):
            of_recording(data, "text", span, options)
    assert len(decoded) == 1


def test_what_goes_round_in_circles_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch)
    piece = played.piece(0, " again")
    segments = [SimpleNamespace(compression_ratio=3.0, words=[piece] * 40)]
    monkeypatch.setattr(played, "transcribe", lambda sound, **how: (iter(segments), None))
    assert recognised(np.zeros(known.RATE, np.float32), Speech()) == ()


def test_words_end_with_their_utterance_and_marks_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch)
    pieces = [played.piece(0, " (-)"), played.piece(0.2, " open"), played.piece(0.9, "-source.")]
    segments = [SimpleNamespace(compression_ratio=1.0, words=pieces)]
    monkeypatch.setattr(played, "transcribe", lambda sound, **how: (iter(segments), None))
    monkeypatch.setattr(transcript, "_voices", lambda sound: [(16_000, 32_000)])
    ((word,),) = recognised(np.zeros(3 * known.RATE, np.float32), Speech())
    assert word == Word(1200, 2000, " open-source.", CONFIDENCE)


def test_writing_without_blanks_stays_without(monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch)
    segments = [
        SimpleNamespace(
            compression_ratio=1.0, words=[played.piece(0, "你"), played.piece(0.5, "好。")]
        )
    ]
    monkeypatch.setattr(played, "transcribe", lambda sound, **how: (iter(segments), None))
    utterances = recognised(np.zeros(known.RATE, np.float32), Speech(model="other", language="zh"))
    assert words(utterances, None, 0.5)[0] == "你好。"
    assert words(utterances, Span(500, 1000), 0.5)[0] == "好。"


def test_a_film_without_subtitles_is_heard_by_the_work_of_the_stage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("av")
    play(monkeypatch)
    monkeypatch.setattr("pipeline.modalities.text.clean.build", lambda options: {})
    params = parse({**_PARAMS, "clean": {"text": {"speech": {}}}})
    encoding = Encoding("text", params, [])
    spoken, written = tmp_path / "spoken.mkv", tmp_path / "written.mkv"
    spoken.write_bytes(known.film(3))
    written.write_bytes(known.film(3, words=True))
    for span in ("", "#t=1,2", "#t=0.999,2.001"):
        heard, read = (
            encoding.clean(read_asset("text", Path(f"{film}{span}"))) for film in (spoken, written)
        )
        assert heard["data"] == read["data"]
        assert (heard["confidence"], read["confidence"]) == (CONFIDENCE, 1.0)
    silent = encoding.clean(read_asset("text", Path(f"{spoken}#t=3,4")))
    assert silent.reason == "absent"
    (asked,) = samples_of(["call.wav"], params)
    assert asked.contents == dict.fromkeys(("audio", "text"), Path("call.wav"))


_PARAMS: dict[str, Any] = {
    "seed": 0,
    "sources": {"films": {"kind": "folder", "from_video": ["text"], "from_audio": ["text"]}},
    "fetch": {},
    "modalities": ["text", "video", "audio"],
    "targets": {},
    "features": {"words": {"modality": "text", "encoder": "hashing"}},
    "models": {},
}


def test_the_recogniser_is_keyed_by_its_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "recogniser" not in parameters(Options())
    monkeypatch.setattr(speech, "version", lambda name: "1")
    detector = tmp_path / "voices.onnx"
    detector.write_bytes(b"v")
    monkeypatch.setattr(speech, "_detector", lambda: detector)
    keyed = []
    for weights in (b"a", b"b"):
        model = tmp_path / weights.decode()
        model.mkdir()
        (model / "model.bin").write_bytes(weights)
        keyed.append(parameters(Options(speech=Speech(model=str(model))))["recogniser"])
    assert (
        keyed[0].keys()
        == keyed[1].keys()
        == {
            *speech.LIBRARIES,
            "model.bin",
            "voices.onnx",
            "processor",
        }
    )
    assert keyed[0]["model.bin"] != keyed[1]["model.bin"]
    moved = tmp_path / "a" / "moved"
    moved.mkdir()
    (moved / "model.bin").write_bytes(b"a")
    first, second = (Options(speech=Speech(model=str(path))) for path in (tmp_path / "a", moved))
    assert parameters(first) == parameters(second)
    with pytest.raises(PipelineError, match=r"no model\.bin"):
        parameters(Options(speech=Speech(model=str(tmp_path))))


def test_what_cannot_be_recognised_is_a_mistake_of_params() -> None:
    silent = _PARAMS | {"modalities": ["text", "audio"]}
    with pytest.raises(PipelineError, match=r"films\.from_audio: .* `clean\.text\.speech: \{\}`"):
        parse(silent)
    german = {"text": {"speech": {"language": "de"}}}
    with pytest.raises(PipelineError, match=r"clean\.text\.speech: .*tiny\.en knows no 'de'"):
        parse({**_PARAMS, "clean": german})


def test_speech_is_no_trifle_to_whoever_chooses_the_executor() -> None:
    identity = fingerprint("f", [], {})
    read, heard = (
        Clean("text", options, Raw(Path(), {}), identity).cost_ms
        for options in (Options(), OPTIONS)
    )
    assert (read, heard) == (COST_MS, SPOKEN_MS)


def test_a_missing_recogniser_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "find_spec", lambda name: None)
    with pytest.raises(PipelineError, match=r"pip install 'multimodal-pipeline\[speech\]'"):
        parameters(OPTIONS)


@has_recogniser
def test_nobody_speaks_in_silence_noise_and_tones() -> None:
    noise = np.random.default_rng(0).normal(0, 3000, 3 * known.RATE).astype(np.int16)
    quiet = np.zeros(known.RATE, np.int16)
    sound = np.concatenate([quiet, noise, quiet, known.tones(4), quiet])
    with pytest.raises(Rejected) as refused:
        of_recording(wav(sound), "text", None, OPTIONS)
    assert refused.value.reason == "absent"


@has_recogniser
@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="there is no espeak-ng that speaks")
def test_a_spoken_sentence_is_understood(tmp_path: Path) -> None:
    sentence = "Good morning. The captain walks along the beach with his old brown dog."
    path = tmp_path / "spoken.wav"
    subprocess.run(["espeak-ng", "-v", "en", "-s", "130", "-w", path, sentence], check=True)
    text, measured = of_recording(path.read_bytes(), "text", None, OPTIONS)
    heard, spoken = text.decode().split(), sentence.split()
    assert len(heard) == len(spoken)
    assert sum(map(str.__ne__, heard, spoken)) <= 2
    assert measured["confidence"] > 0.6


@has_recogniser
@pytest.mark.slow
def test_whisper_answers_alike_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it makes of a tone is no matter, but that each utterance is heard by itself."""
    sound = (known.tones(2) / 32768).astype(np.float32)
    monkeypatch.setattr(transcript, "_voices", lambda sound: [(0, 6000), (20_000, 26_000)])
    both = recognised(sound, Speech())
    monkeypatch.setattr(transcript, "_voices", lambda sound: [(20_000, 26_000)])
    alone = recognised(sound, Speech())
    assert both[len(both) - len(alone) :] == alone
    for utterance in both:
        for word in utterance:
            assert 0 <= word.start <= word.end <= 2000
            assert 0 <= word.confidence <= 1
