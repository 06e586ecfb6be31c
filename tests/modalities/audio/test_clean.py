from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from pipeline.core.errors import Rejected
from pipeline.modalities.audio.clean import MEASUREMENTS, Options, clean, most_bytes
from pipeline.modalities.audio.content import SAMPLING_RATE, pack, unpack

DEFAULT = Options()


def wav(samples: np.ndarray, rate: int = SAMPLING_RATE, subtype: str = "FLOAT") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype=subtype)
    return file.getvalue()


def tone(seconds: float = 1.0, rate: int = SAMPLING_RATE, hertz: float = 440) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def cleaned(
    samples: np.ndarray, rate: int = SAMPLING_RATE, options: Options = DEFAULT
) -> tuple[np.ndarray, dict[str, int | float]]:
    return clean(wav(samples, rate), "audio/wav", options)


def refusal(samples: np.ndarray, options: Options = DEFAULT) -> str:
    with pytest.raises(Rejected) as refused:
        cleaned(samples, options=options)
    return refused.value.reason


def level(sound: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(sound, dtype=np.float64))))


def test_measurements_are_those_declared() -> None:
    _, measured = cleaned(tone())
    assert tuple(measured) == tuple(name for name, _ in MEASUREMENTS)
    assert {type(value) for value in measured.values()} <= {int, float}


def test_the_result_is_what_the_store_gives_back() -> None:
    content, _ = cleaned(tone())
    assert content.dtype == np.float32
    np.testing.assert_array_equal(unpack(*pack(content)), content)


@pytest.mark.parametrize("rate", [5_000, 8_000, 11_127, 22_050, 44_100, 48_000])
def test_every_rate_becomes_16_khz_with_its_pitch(rate: int) -> None:
    content, measured = cleaned(tone(1, rate), rate)
    assert len(content) == pytest.approx(SAMPLING_RATE, abs=20)
    spectrum = np.abs(np.fft.rfft(content, SAMPLING_RATE))
    assert spectrum.argmax() == 440
    assert (measured["sampling_rate"], measured["duration"]) == (rate, pytest.approx(1, abs=1e-3))


def test_channels_are_averaged() -> None:
    left = tone()
    three = np.stack([left, 0 * left, left], axis=1)
    content, measured = cleaned(three)
    alone, one = cleaned(left * 2 / 3)
    assert measured["channels"] == 3
    assert measured["rms_dbfs"] == pytest.approx(one["rms_dbfs"], abs=1e-4)
    np.testing.assert_allclose(content, alone, atol=2e-4)


def test_silence_is_cut_off_and_measured() -> None:
    content, measured = cleaned(np.concatenate([np.zeros(8_000), tone(), np.zeros(4_000)]))
    assert len(content) / SAMPLING_RATE == pytest.approx(1, abs=0.04)
    assert measured["trimmed"] == pytest.approx(0.75, abs=0.04)


def test_clips_of_any_level_come_out_at_one() -> None:
    for factor in (0.02, 0.5, 1.0, 3.0):
        content, measured = cleaned(tone() * factor)
        assert level(content) == pytest.approx(-23, abs=0.05)
        assert measured["rms_dbfs"] + measured["gain_db"] == pytest.approx(-23, abs=1e-3)


def test_peaks_limit_the_gain_so_that_nothing_clips() -> None:
    clicks = tone() * 0.02
    clicks[::4_000] = 0.9
    content, _ = cleaned(clicks)
    assert 20 * np.log10(np.abs(content).max()) == pytest.approx(-1, abs=0.05)
    assert level(content) < -23


def test_an_offset_is_neither_sound_nor_level() -> None:
    assert refusal(np.full(16_000, 0.2)) == "silent"
    content, _ = cleaned(tone() + 0.2)
    assert abs(content.mean()) < 1e-3


def test_silent() -> None:
    assert refusal(np.zeros(16_000)) == "silent"
    assert refusal(tone() * 1e-3) == "silent"
    assert refusal(tone(), Options(silence_dbfs=-10)) == "silent"


def test_clipped() -> None:
    square = np.clip(tone() * 100, -1, 1)
    assert refusal(square) == "clipped"
    _, measured = cleaned(square, options=Options(max_clipped=1))
    assert measured["clipped"] > 0.9
    assert measured["peak"] == pytest.approx(1)


def test_too_short() -> None:
    assert refusal(np.zeros(0)) == "too_short"
    assert refusal(np.ones(1)) == "too_short"
    assert refusal(tone(0.05)) == "too_short"
    assert refusal(np.concatenate([np.zeros(16_000), tone(0.05), np.zeros(16_000)])) == "too_short"
    cleaned(tone(0.05), options=Options(min_seconds=0.01))


def test_too_long() -> None:
    assert refusal(tone(2), Options(max_seconds=1.9)) == "too_long"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_impossible_samples(value: float) -> None:
    broken = tone()
    broken[77] = value
    assert refusal(broken) == "not_finite"


@pytest.mark.parametrize("length", [16, 17, 100])
def test_a_few_samples_get_through_where_options_allow_it(length: int) -> None:
    few = np.random.default_rng(0).uniform(-0.5, 0.5, length)
    content, _ = cleaned(few, options=Options(min_seconds=0.001))
    assert len(content) == length


def test_denoising_is_an_option() -> None:
    noisy = np.concatenate([np.zeros(8_000), tone(), np.zeros(8_000)])
    noisy += np.random.default_rng(0).standard_normal(len(noisy)) * 0.01
    kept, _ = cleaned(noisy, options=Options(trim_db=60))
    gated, _ = cleaned(noisy, options=Options(trim_db=60, denoise="spectral_gate"))
    assert level(gated[:4_000]) < level(kept[:4_000]) - 9


def test_equal_bytes_give_equal_clips() -> None:
    data = wav(tone(1, 44_100), 44_100)
    first, second = (pack(clean(data, "audio/wav", DEFAULT)[0]) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("rate", [5_000, 8_000, 11_127, 44_100])
def test_the_longest_clip_takes_no_more_than_is_planned_for(rate: int) -> None:
    options = Options(max_seconds=1.3)
    content, _ = cleaned(tone(int(1.3 * rate) / rate, rate), rate, options)
    assert 0.99 < len(pack(content)[0]) / most_bytes(1, options) <= 1
