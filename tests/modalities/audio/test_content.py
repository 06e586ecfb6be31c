from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.modalities.audio.content import pack, unpack

samples = arrays.arrays(np.float32, st.integers(0, 50), elements=st.floats(-2, 2, width=32))


@given(samples)
def test_what_was_stored_once_is_stored_again_without_loss(content: np.ndarray) -> None:
    stored = unpack(*pack(content))
    assert stored.dtype == np.float32
    assert pack(stored) == pack(content)


@given(samples)
def test_storage_is_within_half_a_step_and_holds_what_is_too_loud(content: np.ndarray) -> None:
    stored = unpack(*pack(content))
    held = np.clip(content, -1, 1 - 2**-15)
    np.testing.assert_allclose(stored, held, atol=2**-16)
