from __future__ import annotations

import librosa
import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.encoders.mfcc import Encoder, Options, shape, tracks

OPTIONS = Options()


def clip(samples: int, seed: int = 0) -> np.ndarray:
    """Harmonics that swell and fade over a little noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / 16_000
    voice = sum(np.sin(2 * np.pi * (150 + 20 * seed) * k * time) / k for k in range(1, 20))
    sound = 0.1 * voice * np.hanning(samples) + 1e-3 * rng.standard_normal(samples)
    return sound.astype(np.float32)


def reference(sound: np.ndarray, options: Options) -> np.ndarray:
    """Coefficients and bands by librosa, shape (frames, tracks)."""
    grid = {"n_fft": options.window, "hop_length": options.hop, "n_mels": options.bands}
    mel = librosa.feature.melspectrogram(y=sound, sr=16_000, **grid)
    mfcc = librosa.feature.mfcc(y=sound, sr=16_000, n_mfcc=options.coefficients, **grid)
    return np.vstack([mfcc, librosa.power_to_db(mel)]).T


@pytest.mark.parametrize(
    "options", [OPTIONS, Options(window=2048, hop=512, bands=128, coefficients=13)]
)
@pytest.mark.parametrize("samples", [2_500, 16_000, 40_003])
def test_tracks_equal_librosa(samples: int, options: Options) -> None:
    sound = clip(samples)
    np.testing.assert_allclose(tracks(sound, options), reference(sound, options), atol=1e-3)


def test_statistics_equal_those_of_librosa() -> None:
    sound = clip(20_000)
    theirs = reference(sound, OPTIONS)
    wanted = [
        theirs.mean(0),
        theirs.std(0),
        theirs.min(0),
        theirs.max(0),
        np.abs(np.diff(theirs, axis=0)).mean(0),
    ]
    vectors, lengths = Encoder(OPTIONS).encode([sound])
    assert vectors.dtype == np.float32
    assert vectors.shape == (1, *shape(OPTIONS)) == (1, 420)
    assert lengths.tolist() == [1]
    np.testing.assert_allclose(vectors[0], np.concatenate(wanted), atol=1e-3)


@pytest.mark.parametrize("samples", [1, 100, 511])
def test_clips_shorter_than_a_frame_have_vectors(samples: int) -> None:
    vectors, _ = Encoder(OPTIONS).encode([clip(samples)])
    assert np.isfinite(vectors).all()


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    clips = [clip(9_000 + 700 * seed, seed) for seed in range(5)]
    together, _ = Encoder(OPTIONS).encode(clips)
    for row, alone in zip(together, clips, strict=True):
        assert Encoder(OPTIONS).encode([alone])[0].tobytes() == row.tobytes()


def test_more_coefficients_than_bands_are_refused() -> None:
    with pytest.raises(ValidationError, match="at most bands, which are 16"):
        Options(bands=16)
