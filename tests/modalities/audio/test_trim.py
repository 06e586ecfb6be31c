from __future__ import annotations

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.modalities.audio.trim import FRAME, HOP, bounds, frame_powers


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    length=st.integers(1, 9_000),
    before=st.integers(0, 6_000),
    after=st.integers(0, 6_000),
    seed=st.integers(0, 99),
    top_db=st.sampled_from([20.0, 40.0, 60.0]),
)
def test_bounds_equal_librosa(
    length: int, before: int, after: int, seed: int, top_db: float
) -> None:
    rng = np.random.default_rng(seed)
    word = rng.standard_normal(length, np.float32) * np.hanning(length).astype(np.float32)
    sound = np.pad(word, (before, after)) + rng.standard_normal(
        length + before + after, np.float32
    ) * np.float32(2e-3)
    _, theirs = librosa.effects.trim(sound, top_db=top_db, frame_length=FRAME, hop_length=HOP)
    assert bounds(frame_powers(sound), len(sound), top_db) == tuple(theirs)


@pytest.mark.parametrize("length", [1, HOP - 1, HOP, FRAME, 3 * FRAME + 7])
def test_frame_powers_equal_librosa(length: int) -> None:
    sound = np.random.default_rng(0).standard_normal(length, np.float32)
    theirs = librosa.feature.rms(y=sound, frame_length=FRAME, hop_length=HOP)[0] ** 2
    np.testing.assert_allclose(frame_powers(sound), theirs, rtol=1e-5)


def test_digital_silence_has_no_bounds() -> None:
    assert bounds(frame_powers(np.zeros(1000, np.float32)), 1000, 40.0) == (0, 0)
