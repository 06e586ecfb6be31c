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


def test_silence_at_the_ends_stays_on_request() -> None:
    sound = np.concatenate([np.zeros(8_000), tone(), np.zeros(4_000)])
    content, measured = cleaned(sound, options=Options(trim_db=None))
    assert len(content) == len(sound)
    assert measured["trimmed"] == 0
    assert np.abs(content[:7_900]).max() < 1e-3 < np.abs(content[8_000:8_100]).max()
    with pytest.raises(Rejected, match="nothing in it is louder"):
        cleaned(np.zeros(8_000), options=Options(trim_db=None))


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


def test_samples_above_one_are_not_clipped_where_numbers_have_no_bound() -> None:
    content, measured = cleaned(tone() * 10)
    assert measured["clipped"] < 0.05
    assert measured["peak"] == pytest.approx(3)
    np.testing.assert_allclose(content, cleaned(tone())[0], atol=1e-3)
    assert refusal(np.clip(tone() * 100, -3, 3)) == "clipped"


def speech(seconds: float = 3.0, seed: int = 0) -> np.ndarray:
    """Syllables of a buzzing voice with pauses between, at a peak of about 0.5."""
    time = np.arange(round(seconds * SAMPLING_RATE)) / SAMPLING_RATE
    voice = sum(np.sin(2 * np.pi * 130 * k * time + k * k) / k for k in range(1, 25))
    return 0.15 * voice * np.clip(np.sin(2 * np.pi * (2 * time + seed / 7)), 0, 1) ** 2


def noise(seconds: float, dbfs: float, seed: int = 0) -> np.ndarray:
    samples = np.random.default_rng(seed).standard_normal(round(seconds * SAMPLING_RATE))
    return samples * 10 ** (dbfs / 20)


def likeness(first: np.ndarray, second: np.ndarray) -> float:
    length = min(len(first), len(second))
    return float(abs(np.corrcoef(first[:length], second[:length])[0, 1]))


@pytest.mark.parametrize("floor", [-90, -60, -40])
@pytest.mark.parametrize("offset", [0.0, 0.1])
def test_speech_in_opposite_channels_is_kept(floor: float, offset: float) -> None:
    voice = speech()
    left, right = (voice + noise(3, floor), -voice + noise(3, floor, seed=1))
    content, measured = cleaned(np.stack([left, right], axis=1) + offset)
    assert measured["cancelled"] > 0.9
    assert likeness(content, cleaned(left)[0]) > 0.95


def test_speech_that_opposes_itself_for_a_while_or_beneath_a_hum_is_kept() -> None:
    voice = speech(4)
    turned = np.where(np.arange(len(voice)) < len(voice) * 0.7, voice, -voice)
    content, _ = cleaned(np.stack([voice, turned], axis=1))
    assert likeness(np.abs(content), np.abs(cleaned(voice)[0])) > 0.99
    hum = 0.02 * np.sin(2 * np.pi * 50 * np.arange(len(voice)) / SAMPLING_RATE)
    content, _ = cleaned(np.stack([voice + hum, hum - voice], axis=1))
    assert likeness(content, cleaned(voice + hum)[0]) > 0.99


def test_the_loudest_of_channels_that_cancel_is_taken() -> None:
    quiet, loud = -0.3 * speech(), speech()
    content, measured = cleaned(np.stack([quiet, loud, -0.7 * loud], axis=1))
    assert measured["cancelled"] > 0.9
    np.testing.assert_array_equal(content, cleaned(loud)[0])


def test_channels_that_do_not_oppose_each_other_are_averaged() -> None:
    pairs = [
        (speech(), speech()),
        (speech(), 0.5 * speech()),
        (speech(), np.zeros(3 * SAMPLING_RATE)),
        (speech(seed=0), speech(seed=3)),
        (noise(3, -20), noise(3, -20, seed=1)),
    ]
    for left, right in pairs:
        content, measured = cleaned(np.stack([left, right], axis=1))
        assert measured["cancelled"] < 0.05
        np.testing.assert_allclose(content, cleaned((left + right) / 2)[0], atol=1e-3)


def bang(seconds: float = 0.1) -> np.ndarray:
    return noise(seconds, -3).clip(-0.99, 0.99)


def scattered(*pieces: np.ndarray | float) -> np.ndarray:
    """Sounds one after the other; a number is seconds of silence."""
    return np.concatenate(
        [np.zeros(round(p * SAMPLING_RATE)) if isinstance(p, float) else p for p in pieces]
    )


QUIET_SPEECH = 0.01 * speech() / np.abs(speech()).max()


@pytest.mark.parametrize(
    "sounds",
    [
        (bang(), 0.9, QUIET_SPEECH),
        (bang(), 0.2, QUIET_SPEECH, 0.5),
        (QUIET_SPEECH, 0.3, bang()),
        (0.5, bang(), QUIET_SPEECH),
        (QUIET_SPEECH[:24_000], bang(), QUIET_SPEECH[24_000:]),
        (bang(), 0.2, bang(), 0.2, bang(), 0.4, QUIET_SPEECH),
        (bang(0.5), 0.5, QUIET_SPEECH),
        (bang() / 3, 0.3, bang(), 0.3, 0.5 * QUIET_SPEECH),
    ],
)
@pytest.mark.parametrize("floor", [-120, -80])
def test_speech_beside_a_bang_is_no_silence(
    sounds: tuple[np.ndarray | float, ...], floor: float
) -> None:
    heard = scattered(*sounds)
    content, measured = cleaned(heard + noise(len(heard) / SAMPLING_RATE, floor))
    assert len(content) / SAMPLING_RATE > 2.8
    assert measured["trimmed"] < 1.2


def test_noise_beside_a_word_is_silence() -> None:
    word = 0.5 * speech(0.25) / np.abs(speech(0.25)).max()
    for floor in (-70, -55, -45):
        heard = scattered(1.0, word, 2.0)
        content, _ = cleaned(heard + noise(len(heard) / SAMPLING_RATE, floor))
        assert len(content) / SAMPLING_RATE < 0.4


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
