"""Windows of sounds of which it is known what is heard when."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.core.errors import PipelineError, Rejected
from pipeline.encoders import mfcc, windows

SECOND = 16_000
# Two seconds of tones, of which the one from 1 s to 1.5 s is not heard.
SOUND = np.sin(np.arange(2 * SECOND) ** 1.7 / 300).astype(np.float32)
SOUND[SECOND : 3 * SECOND // 2] = 0


def encode(sound: np.ndarray, **options: Any) -> tuple[np.ndarray, int]:
    chosen = windows.Options(**{"seconds": 0.5, "hop": 0.5, "windows": 8, **options})
    values, lengths = windows.Encoder(chosen).encode([sound])
    assert values.shape == (1, *windows.shape(chosen))
    assert not values[0, lengths[0] :].any()
    return values[0], int(lengths[0])


def test_each_window_is_encoded_by_itself_and_bears_the_time_of_its_middle() -> None:
    values, length = encode(SOUND)
    assert length == 3  # the silent one is left out
    assert values[:length, -1].tolist() == [0.25, 0.75, 1.75]
    parts = np.split(SOUND, 4)
    alone, _ = mfcc.Encoder(mfcc.Options()).encode([parts[place] for place in (0, 1, 3)])
    np.testing.assert_array_equal(values[:length, :-1], alone)
    assert encode(SOUND, least_dbfs=-120)[1] == 3
    untimed, _ = encode(SOUND, times=False)
    np.testing.assert_array_equal(untimed, values[:, :-1])


def test_the_encoder_of_sounds_has_the_options_that_are_stated() -> None:
    values, _ = encode(SOUND[:SECOND], sounds={"encoder": "mfcc", "bands": 40})
    alone, _ = mfcc.Encoder(mfcc.Options(bands=40)).encode(np.split(SOUND[:SECOND], 2))
    np.testing.assert_array_equal(values[:2, :-1], alone)


@pytest.mark.parametrize(
    ("samples", "spans"),
    [
        (800, [(0, 800)]),
        (16_000, [(0, 16_000)]),
        (16_001, [(0, 16_000), (8_000, 16_001)]),
        (20_000, [(0, 16_000), (8_000, 20_000)]),
        (32_000, [(0, 16_000), (8_000, 24_000), (16_000, 32_000)]),
        (160_000, [(24_000, 40_000), (72_000, 88_000), (120_000, 136_000)]),
    ],
)
def test_windows_overlap_until_one_reaches_the_end(
    samples: int, spans: list[tuple[int, int]]
) -> None:
    chosen = windows.Options(seconds=1, hop=0.5, windows=3)
    assert windows.audible_windows(np.ones(samples, np.float32), chosen) == spans


def test_a_rest_of_less_than_a_tenth_of_a_second_is_no_window() -> None:
    chosen = windows.Options(seconds=1, hop=1)
    for samples, count in ((17_599, 1), (17_600, 2), (160, 1)):
        assert len(windows.audible_windows(np.ones(samples, np.float32), chosen)) == count


def test_what_is_heard_is_found_between_the_windows_of_a_long_silence() -> None:
    """A minute of which half a second is a tone: windows are taken evenly of those alone."""
    silence = np.zeros(60 * SECOND, np.float32)
    silence[20 * SECOND : 41 * SECOND // 2] = SOUND[: SECOND // 2]
    values, length = encode(silence, windows=3)
    assert values[:length, -1].tolist() == [20.25]


def test_a_sound_of_which_nothing_is_heard_is_refused() -> None:
    with pytest.raises(Rejected, match="louder than -60 dBFS") as refused:
        encode(np.full(SECOND, 1e-4, np.float32))
    assert refused.value.reason == "silent"


def test_what_it_calls_is_keyed() -> None:
    options = windows.Options(sounds={"encoder": "mfcc", "bands": 40})
    assert windows.modules(options) == ["pipeline.encoders.mfcc"]
    assert windows.weights(options) == []
    assert windows.parameters(options)["sounds"] == {
        "encoder": "mfcc", "bands": 40, "coefficients": 20, "hop": 160, "window": 512
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sounds": {"encoder": "nonesuch"}}, "nonesuch"),
        ({"sounds": {"encoder": "colour_hog"}}, "encodes image: sounds need one of audio, .* mfcc"),
        ({"sounds": {}}, "no encoder of sounds is named: write `encoder: NAME`, .* mfcc"),
        ({"sounds": {"encoder": "mfcc", "pitch": 3}}, "pitch"),
        ({"hop": 0}, "hop"),
    ],
)
def test_what_cannot_be_is_said(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        windows.Options(**options)


def test_sounds_need_vectors() -> None:
    with pytest.raises(PipelineError, match="'logmel' makes a sequence of each of the sounds"):
        windows.shape(windows.Options(sounds={"encoder": "logmel"}))
