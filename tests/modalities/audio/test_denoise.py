from __future__ import annotations

import numpy as np
import pytest

from pipeline.modalities.audio.denoise import spectral_gate


@pytest.fixture
def word() -> np.ndarray:
    """A chord that sounds for the middle third of a second and a half."""
    time = np.arange(24_000) / 16_000
    chord = sum(np.sin(2 * np.pi * hertz * time) for hertz in (220, 550, 1400))
    return (0.1 * chord * ((time > 0.5) & (time < 1))).astype(np.float32)


def error_db(sound: np.ndarray, clean: np.ndarray) -> float:
    return float(10 * np.log10(np.mean((sound - clean) ** 2) / np.mean(clean**2)))


def test_noise_falls_and_the_word_stays(word: np.ndarray) -> None:
    noisy = word + np.random.default_rng(0).standard_normal(len(word), np.float32) * 0.03
    gated = spectral_gate(noisy, 20)
    assert error_db(gated, word) < error_db(noisy, word) - 8
    before_the_word = slice(0, 6_000)
    fall = 20 * np.log10(gated[before_the_word].std() / noisy[before_the_word].std())
    assert -21 < fall < -15


@pytest.mark.parametrize("length", [1, 50, 511, 2_000])
def test_any_length_keeps_its_length(length: int) -> None:
    sound = np.random.default_rng(0).standard_normal(length, np.float32)
    gated = spectral_gate(sound, 12)
    assert gated.shape == sound.shape
    assert gated.dtype == np.float32
    assert np.isfinite(gated).all()


def test_no_reduction_changes_nothing(word: np.ndarray) -> None:
    np.testing.assert_allclose(spectral_gate(word, 0), word, atol=1e-6)
