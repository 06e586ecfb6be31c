"""The kernels against librosa, which is what people compare features with."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from pipeline.modalities.audio import mel
from pipeline.modalities.audio.spectrum import decibels, istft, power, stft


@pytest.fixture(params=[1, 100, 511, 512, 16_000, 16_001])
def sound(request: pytest.FixtureRequest) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(request.param, np.float32) / 10


@pytest.mark.filterwarnings("ignore:n_fft=512 is too large")
def test_stft_equals_librosa(sound: np.ndarray) -> None:
    theirs = librosa.stft(sound, n_fft=512, hop_length=160).T
    np.testing.assert_allclose(stft(sound, 512, 160), theirs, atol=1e-5)


def test_istft_equals_librosa_on_a_changed_spectrum(sound: np.ndarray) -> None:
    spectrum = stft(sound, 512, 128)
    spectrum *= np.random.default_rng(1).random(spectrum.shape, np.float32)
    theirs = librosa.istft(spectrum.T, hop_length=128, length=len(sound))
    np.testing.assert_allclose(istft(spectrum, 128, len(sound)), theirs, atol=1e-6)


def test_istft_undoes_stft(sound: np.ndarray) -> None:
    again = istft(stft(sound, 512, 128), 128, len(sound))
    np.testing.assert_allclose(again, sound, atol=1e-6)


@pytest.mark.parametrize(("window", "bands"), [(512, 64), (512, 40), (1024, 80), (2048, 128)])
def test_mel_filters_equal_librosa(window: int, bands: int) -> None:
    theirs = librosa.filters.mel(sr=16_000, n_fft=window, n_mels=bands)
    np.testing.assert_allclose(mel.filters(16_000, window, bands), theirs.T, atol=1e-7)


def test_mel_scale_is_undone() -> None:
    hertz = np.array([0, 50, 999, 1000, 1001, 8000.0])
    np.testing.assert_allclose(mel.hertz(mel.mel(hertz)), hertz)


def test_decibels_equal_librosa(sound: np.ndarray) -> None:
    powers = power(stft(sound, 512, 160)) * 1e-4
    theirs = librosa.power_to_db(powers, top_db=80)
    np.testing.assert_allclose(decibels(powers), theirs, atol=1e-4)


def test_silence_has_finite_decibels() -> None:
    np.testing.assert_allclose(decibels(np.zeros((3, 4), np.float32)), -100, rtol=1e-6)
