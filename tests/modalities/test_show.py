"""What each modality looks and sounds like on the page."""

from __future__ import annotations

from base64 import b64decode
from io import BytesIO

import cv2
import numpy as np
import pytest
import soundfile

from pipeline.core.media_card import CardOptions
from pipeline.modalities.audio import show as audio
from pipeline.modalities.audio.content import SAMPLING_RATE
from pipeline.modalities.image import show as image
from pipeline.modalities.text import show as text

TIME = np.arange(SAMPLING_RATE) / SAMPLING_RATE
TONE = (0.5 * np.sin(2 * np.pi * 440 * TIME)).astype(np.float32)


def decoded(uri: str | None) -> bytes:
    return b64decode((uri or "").split("base64,")[1])


@pytest.mark.parametrize(
    ("shape", "size"), [((400, 200), (88, 176)), ((30, 20), (20, 30)), ((2000, 1), (1, 176))]
)
def test_a_picture_is_made_small_but_never_large(
    shape: tuple[int, int], size: tuple[int, int]
) -> None:
    content = np.full((*shape, 3), (200, 30, 60), np.uint8)
    shown = image.show(content, CardOptions(picture=176))
    assert (shown.width, shown.height) == size
    back = cv2.imdecode(np.frombuffer(decoded(shown.picture), np.uint8), cv2.IMREAD_COLOR)
    assert back.shape[1::-1] == size
    assert np.abs(back[..., ::-1].astype(int).mean((0, 1)) - (200, 30, 60)).max() < 8


def test_a_sound_is_heard_as_it_was() -> None:
    shown = audio.show(TONE, CardOptions())
    samples, rate = soundfile.read(BytesIO(decoded(shown.sound)))
    assert rate == SAMPLING_RATE
    assert len(samples) >= len(TONE)
    spectrum = np.abs(np.fft.rfft(samples))
    assert abs(np.argmax(spectrum) * rate / len(samples) - 440) < 3
    assert shown.caption == "1.0 s"


def test_a_long_sound_is_cut_and_says_so() -> None:
    shown = audio.show(np.tile(TONE, 3), CardOptions(clip=0.5))
    samples, _ = soundfile.read(BytesIO(decoded(shown.sound)))
    assert len(samples) < SAMPLING_RATE
    assert shown.caption == "3.0 s, first 0.5 s"


def test_the_picture_of_a_tone_is_brightest_at_its_pitch() -> None:
    low, high = (
        audio.spectrogram((0.5 * np.sin(2 * np.pi * hertz * TIME)).astype(np.float32))
        for hertz in (300, 3000)
    )
    assert low.shape[0] == audio.BANDS
    brightest = [int(p.astype(int).sum(2).mean(1).argmax()) for p in (low, high)]
    assert brightest[0] > brightest[1]  # high pitches stand above


@pytest.mark.parametrize("length", [0, 1, 50, 511, 513])
def test_short_and_silent_sounds_are_shown_too(length: int) -> None:
    silence = np.zeros(length, np.float32)
    assert "nan" not in audio.outline(silence)
    assert audio.spectrogram(silence).shape[1] >= 1


def test_the_outline_follows_the_loudness() -> None:
    swelling = TONE * np.linspace(0, 1, len(TONE), dtype=np.float32)
    heights = [16 - float(point.split(",")[1])
               for point in audio.outline(swelling)[1:].split(" L")[: audio.COLUMNS]]  # fmt: skip
    assert heights[0] < heights[40] < heights[-1] == 15


def test_media_are_the_same_each_time() -> None:
    assert audio.show(TONE, CardOptions()) == audio.show(TONE.copy(), CardOptions())
    picture = np.arange(30_000, dtype=np.uint8).reshape(100, 100, 3)
    assert image.show(picture, CardOptions()) == image.show(picture.copy(), CardOptions())


def test_words_are_kept_unless_very_long() -> None:
    assert text.show("शेर", CardOptions()).words == "शेर"
    shown = text.show("word " * 100, CardOptions())
    assert len(shown.words or "") <= text.LONGEST
    assert (shown.words or "").endswith("…")
