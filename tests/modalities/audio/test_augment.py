from __future__ import annotations

import json

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.core.randomness import generator
from pipeline.modalities.audio import augment
from pipeline.modalities.audio.augment import OPERATIONS, Options, apply, draw
from pipeline.modalities.audio.content import SAMPLING_RATE

ALWAYS = Options(**{f"{name}_probability": 1.0 for name in OPERATIONS})
NEVER = Options(**{f"{name}_probability": 0.0 for name in OPERATIONS})


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    """A second of a rising tone with its octave, and a little noise."""
    time = np.arange(SAMPLING_RATE) / SAMPLING_RATE
    phase = 2 * np.pi * (300 * time + 200 * time**2)
    wave = 0.2 * np.sin(phase) + 0.1 * np.sin(2 * phase)
    return (wave + np.random.default_rng(0).standard_normal(len(time)) * 1e-3).astype(np.float32)


def rms_db(sound: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(sound, dtype=np.float64))))


def band_db(sound: np.ndarray, low: float, high: float) -> float:
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    hertz = np.fft.rfftfreq(len(sound), 1 / SAMPLING_RATE)
    return float(10 * np.log10(spectrum[(hertz >= low) & (hertz < high)].mean()))


def test_a_recipe_is_data_and_survives_json() -> None:
    recipe = draw(generator(7, "augment"), ALWAYS)
    assert [operation["op"] for operation in recipe] == list(OPERATIONS)
    assert json.loads(json.dumps(recipe)) == recipe


def test_one_stream_one_recipe() -> None:
    assert draw(generator(7, "a"), ALWAYS) == draw(generator(7, "a"), ALWAYS)
    assert draw(generator(7, "a"), ALWAYS) != draw(generator(7, "b"), ALWAYS)


def test_probabilities_hold() -> None:
    assert draw(generator(7, "a"), NEVER) == []
    rng = generator(7, "many")
    counts = dict.fromkeys(OPERATIONS, 0)
    for _ in range(1_000):
        for operation in draw(rng, Options()):
            counts[operation["op"]] += 1
    for name, count in counts.items():
        wanted = getattr(Options(), f"{name}_probability")
        assert count / 1_000 == pytest.approx(wanted, abs=0.06)


def test_draws_keep_their_limits() -> None:
    rng = generator(7, "limits")
    options = ALWAYS
    for _ in range(200):
        named = {operation["op"]: operation for operation in draw(rng, options)}
        assert 0.9 <= named["stretch"]["rate"] <= 1.1
        assert abs(named["shift"]["share"]) <= options.shift_most
        assert 10 <= named["noise"]["snr_db"] <= 40
        assert 0 <= named["time_mask"]["start"] <= 1 - named["time_mask"]["width"] + 1e-4
        assert named["time_mask"]["width"] <= options.time_mask_most
        assert 0 <= named["frequency_mask"]["low_hz"] <= named["frequency_mask"]["high_hz"] <= 8_000
        assert -12 <= named["gain"]["db"] <= 6
        assert -2 <= named["pitch"]["n_steps"] <= 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"gain_db": (3, -3)},
        {"pitch_semitones": (0, 25)},
        {"stretch_rate": (0, 1)},
        {"noise_colours": ()},
        {"views": -1},
    ],
)
def test_impossible_limits_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Options(**wrong)


def test_no_operation_changes_nothing(clip: np.ndarray) -> None:
    np.testing.assert_array_equal(apply(clip, []), clip)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(length=st.integers(1, 3_000), seed=st.integers(0, 10_000))
def test_any_recipe_fits_any_clip(length: int, seed: int) -> None:
    content = np.random.default_rng(seed).uniform(-1, 1, length).astype(np.float32)
    before = content.copy()
    recipe = draw(generator(seed, "fits"), ALWAYS)
    first, second = apply(content, recipe), apply(content, recipe)
    assert first.dtype == np.float32
    assert first.ndim == 1
    assert len(first) >= 1
    assert np.abs(first).max() < 1
    assert first.tobytes() == second.tobytes()
    np.testing.assert_array_equal(content, before)


def test_silence_stays_silent() -> None:
    recipe = draw(generator(7, "silence"), ALWAYS)
    assert not apply(np.zeros(2_000, np.float32), recipe).any()


@pytest.mark.parametrize("rate", [0.7, 0.93, 1.1, 1.5])
def test_stretch_equals_librosa_whose_phases_are_less_exact(clip: np.ndarray, rate: float) -> None:
    theirs = librosa.effects.time_stretch(
        clip, rate=rate, n_fft=augment.WINDOW, hop_length=augment.HOP
    )
    np.testing.assert_allclose(augment.stretch(clip, rate), theirs, atol=1e-3)


def test_stretch_by_nothing_changes_nothing(clip: np.ndarray) -> None:
    np.testing.assert_allclose(augment.stretch(clip, 1.0), clip, atol=1e-6)


def test_shift_loses_nothing(clip: np.ndarray) -> None:
    later, earlier = augment.shift(clip, 0.25), augment.shift(clip, -0.25)
    assert not later[:4_000].any()
    assert not earlier[-4_000:].any()
    np.testing.assert_array_equal(later[4_000:], clip)
    np.testing.assert_array_equal(earlier[:-4_000], clip)


@pytest.mark.parametrize("colour", ["white", "pink"])
@pytest.mark.parametrize("snr_db", [0, 12.5, 30])
def test_noise_has_its_level(clip: np.ndarray, colour: str, snr_db: float) -> None:
    added = augment.noise(clip, snr_db, colour, seed=3) - clip
    assert rms_db(clip) - rms_db(added) == pytest.approx(snr_db, abs=0.05)
    assert augment.noise(clip, snr_db, colour, seed=4).tobytes() != (clip + added).tobytes()


def test_noise_has_its_colour() -> None:
    carrier = np.full(160_000, 1e-3, np.float32)
    for colour, fall in (("white", 0), ("pink", 3.01)):
        added = augment.noise(carrier, 0, colour, seed=3) - carrier
        falls = [
            band_db(added, hertz, 2 * hertz) - band_db(added, 2 * hertz, 4 * hertz)
            for hertz in (250, 500, 1_000, 2_000)
        ]
        assert np.mean(falls) == pytest.approx(fall, abs=0.2)


def test_time_mask_silences_its_span_alone(clip: np.ndarray) -> None:
    masked = augment.time_mask(clip, start=0.25, width=0.5)
    assert not masked[4_000:12_000].any()
    np.testing.assert_array_equal(masked[:4_000], clip[:4_000])
    np.testing.assert_array_equal(masked[12_000:], clip[12_000:])


def test_frequency_mask_takes_its_band_alone(clip: np.ndarray) -> None:
    noisy = augment.noise(clip, 0, "white", seed=1)
    masked = augment.frequency_mask(noisy, 1_000, 2_000)
    assert band_db(masked, 1_000, 2_000) < band_db(noisy, 1_000, 2_000) - 60
    for low, high in ((100, 990), (2_010, 7_000)):
        assert band_db(masked, low, high) == pytest.approx(band_db(noisy, low, high), abs=0.01)


def test_gain_is_in_decibels(clip: np.ndarray) -> None:
    assert rms_db(augment.gain(clip, -6.5)) == pytest.approx(rms_db(clip) - 6.5, abs=1e-3)


def test_too_loud_is_turned_down_not_cut(clip: np.ndarray) -> None:
    loud = apply(clip, [{"op": "gain", "db": 30.0}])
    assert np.abs(loud).max() == pytest.approx(augment.PEAK)
    assert np.corrcoef(loud, clip)[0, 1] == pytest.approx(1)


def test_a_pitch_that_is_not_chosen_leaves_recipes_as_they_were() -> None:
    without = draw(generator(7, "pitch"), Options())
    chosen = draw(generator(7, "pitch"), Options(pitch_probability=1))
    assert chosen[:-1] == without
    assert chosen[-1]["op"] == "pitch"


@pytest.mark.parametrize("n_steps", [-5, 1.5, 12])
def test_pitch_moves_a_tone_and_keeps_its_length(n_steps: float) -> None:
    time = np.arange(SAMPLING_RATE) / SAMPLING_RATE
    tone = (0.5 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    shifted = augment.pitch(tone, n_steps)
    assert shifted.shape == tone.shape
    assert shifted.dtype == np.float32
    peak = np.abs(np.fft.rfft(shifted)).argmax() * SAMPLING_RATE / len(shifted)
    assert peak == pytest.approx(440 * 2 ** (n_steps / 12), rel=0.01)
