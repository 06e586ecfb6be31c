"""librosa's descriptions of sounds whose pitch, tempo and level are known."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.encoders.librosa import TRACKS, Encoder, Options, shape, tracks
from pipeline.parts.fingerprint import fingerprint

SECOND = 16_000


def described(samples: np.ndarray, *features: str, **options: int) -> np.ndarray:
    return tracks(samples, Options(features=features, **options))


@pytest.fixture(scope="module")
def tone() -> np.ndarray:
    """A second of A4."""
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(SECOND) / SECOND)).astype(np.float32)


def test_a_tone_has_its_pitch_its_chroma_and_its_level(tone: np.ndarray) -> None:
    hertz, voiced = described(tone, "pitch").T
    assert np.median(hertz) == pytest.approx(440, rel=0.01)
    assert np.median(voiced) > 0.5
    assert (described(tone, "chroma").argmax(axis=1) == 9).all()
    crossings, rms = np.median(described(tone, "zero_crossings", "rms"), axis=0)
    assert crossings == pytest.approx(2 * 440 / SECOND, rel=0.02)
    assert rms == pytest.approx(0.5 / np.sqrt(2), rel=0.01)


def test_clicks_have_their_tempo_and_their_onsets() -> None:
    clicks = np.zeros(8 * SECOND, np.float32)
    clicks[:: SECOND // 2] = 0.9
    tempo, onset = described(clicks, "tempo", "onset_strength").T
    assert np.median(tempo) == pytest.approx(120, rel=0.03)
    assert onset.max() > 10 * np.median(onset)


@pytest.mark.parametrize("samples", [1, 160, 2_047, 2_048, 5_000])
@pytest.mark.parametrize("level", [0, 0.1])
def test_short_and_silent_clips_are_described_without_a_warning(samples: int, level: float) -> None:
    clip = (level * np.random.default_rng(0).standard_normal(samples)).astype(np.float32)
    for window, hop in ((2048, 512), (512, 64)):
        made = tracks(clip, Options(window=window, hop=hop))
        assert made.shape == (1 + samples // hop, sum(TRACKS.values()))
        assert np.isfinite(made).all()
    if not level:
        assert not described(clip, "rms", "chroma", "onset_strength").any()


def test_frames_are_a_padded_sequence(tone: np.ndarray) -> None:
    options = Options(features=("rms", "chroma"), frames=20)
    values, lengths = Encoder(options).encode([tone, tone[:5_000]])
    assert values.shape == (2, *shape(options)) == (2, 20, 13)
    assert lengths.tolist() == [20, 1 + 5_000 // 512]
    assert not values[1, lengths[1] :].any()
    np.testing.assert_array_equal(values[0], tracks(tone, options)[:20])


def test_statistics_are_one_vector(tone: np.ndarray) -> None:
    options = Options(features=("rms", "zero_crossings"))
    values, lengths = Encoder(options).encode([tone])
    assert values.shape == (1, *shape(options)) == (1, 10)
    assert lengths.tolist() == [1]
    np.testing.assert_allclose(values[0, :2], tracks(tone, options).mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize("features", [(), ("rms", "rms"), ("loudness",)])
def test_descriptions_are_named_and_named_once(features: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        Options(features=features)


def test_what_computes_for_librosa_is_in_the_key() -> None:
    made = fingerprint("extract/librosa", ["pipeline.encoders.librosa"], {})
    assert {"librosa", "llvmlite", "numba", "numpy", "scipy", "soxr"} <= set(made.libraries)
    assert "absent" not in made.libraries.values()
