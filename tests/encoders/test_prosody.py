"""Pitch, loudness and rate of sounds of which they are known."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.encoders.prosody import NAMES, Options, describe

SECOND = 16_000
TIME = np.arange(2 * SECOND) / SECOND


def described(samples: np.ndarray) -> dict[str, float]:
    return dict(zip(NAMES, describe(samples.astype(np.float32), Options()), strict=True))


def voice(hertz: np.ndarray | float) -> np.ndarray:
    """Two seconds with five overtones, as a voice has them."""
    phase = 2 * np.pi * np.cumsum(np.full(len(TIME), hertz)) / SECOND
    return sum(np.sin(k * phase) / k for k in range(1, 7)) / 4


def test_a_steady_voice_has_its_pitch_and_no_melody() -> None:
    steady = described(voice(220.0))
    assert steady["pitch, median"] == pytest.approx(12 * np.log2(220 / 65.4), abs=0.1)
    assert steady["pitch, range of these"] < 0.1
    assert steady["voiced share"] == 1
    assert steady["harmonicity, mean"] > 0.95
    assert steady["seconds"] == 2


def test_a_rising_voice_rises_by_as_much() -> None:
    rising = described(voice(150 * 2 ** (TIME / 2)))
    assert rising["pitch, rise in semitones a second"] == pytest.approx(6, rel=0.15)
    assert rising["pitch, range of these"] == pytest.approx(0.6 * 12, rel=0.1)


def test_syllables_and_pauses_are_counted() -> None:
    shouting = voice(220.0) * (np.sin(2 * np.pi * 2 * TIME) > 0)
    spoken = described(shouting)
    assert spoken["syllables a second"] == 2
    assert spoken["voiced stretches a second"] == 2
    assert spoken["voiced stretch, mean seconds"] == pytest.approx(0.25, abs=0.05)
    assert spoken["voiced share"] == pytest.approx(0.5, abs=0.1)


def test_the_level_of_a_recording_changes_nothing() -> None:
    loud = describe(voice(200.0).astype(np.float32), Options())
    quiet = describe((voice(200.0) / 8).astype(np.float32), Options())
    np.testing.assert_allclose(loud, quiet, atol=1e-4)


def test_noise_has_no_voice_and_silence_no_number_that_is_none() -> None:
    noise = described(np.random.default_rng(0).standard_normal(SECOND))
    assert noise["voiced share"] < 0.05
    for samples in (1, 160, 1_023, 1_024, 5_000):
        silent = described(np.zeros(samples))
        assert np.isfinite([*silent.values()]).all()
        assert silent["voiced share"] == silent["pitch, mean"] == 0


def test_a_voice_is_looked_for_within_an_octave_at_least() -> None:
    with pytest.raises(ValidationError, match="twice lowest"):
        Options(lowest=300, highest=500)
