from __future__ import annotations

import librosa
import numpy as np
import pytest

from pipeline.encoders.logmel import Encoder, Options, shape

OPTIONS = Options()


def clip(samples: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    sweep = np.sin(np.cumsum(np.linspace(0.05, 2, samples)))
    return (0.2 * sweep + 1e-3 * rng.standard_normal(samples)).astype(np.float32)


def reference(sound: np.ndarray) -> np.ndarray:
    mel = librosa.feature.melspectrogram(
        y=sound, sr=16_000, n_fft=OPTIONS.window, hop_length=OPTIONS.hop, n_mels=OPTIONS.bands
    )
    return 1 + librosa.power_to_db(mel, ref=np.max, top_db=80).T / 80


def test_values_equal_librosa_and_padding_is_zero() -> None:
    sound = clip(16_000)
    sequences, lengths = Encoder(OPTIONS).encode([sound])
    assert sequences.dtype == np.float32
    assert sequences.shape == (1, *shape(OPTIONS)) == (1, 128, 64)
    assert lengths.dtype == np.int32
    assert lengths.tolist() == [1 + 16_000 // 256]
    np.testing.assert_allclose(sequences[0, : lengths[0]], reference(sound), atol=1e-5)
    assert not sequences[0, lengths[0] :].any()


def test_of_a_long_clip_the_beginning_is_taken() -> None:
    sound = clip(80_000)
    sequences, lengths = Encoder(OPTIONS).encode([sound])
    assert lengths.tolist() == [128]
    np.testing.assert_allclose(sequences[0], reference(sound)[:128], atol=1e-5)


def test_the_recording_level_does_not_matter() -> None:
    quiet, loud = (Encoder(OPTIONS).encode([clip(16_000) * level])[0] for level in (0.25, 1))
    np.testing.assert_allclose(quiet, loud, atol=1e-5)
    assert loud.min() >= 0
    assert loud.max() == pytest.approx(1)


@pytest.mark.parametrize("samples", [1, 100, 512])
def test_clips_shorter_than_a_frame_have_frames(samples: int) -> None:
    sequences, lengths = Encoder(OPTIONS).encode([clip(samples)])
    assert np.isfinite(sequences).all()
    assert lengths[0] >= 1


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    clips = [clip(9_000 + 700 * seed, seed) for seed in range(5)]
    together, lengths = Encoder(OPTIONS).encode(clips)
    for row, length, sound in zip(together, lengths, clips, strict=True):
        alone, own = Encoder(OPTIONS).encode([sound])
        assert alone.tobytes() == row.tobytes()
        assert own[0] == length
