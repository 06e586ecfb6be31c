from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.encoders.pixels import Encoder, Options


def square(picture: np.ndarray, side: int = 8) -> np.ndarray:
    values, lengths = Encoder(Options(side=side)).encode([picture])
    assert lengths.tolist() == [side]
    return values[0].reshape(side, side, 3)


def test_a_picture_of_that_size_stays_as_it_is() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(square(picture), picture.astype(np.float32) / np.float32(255))


def test_a_wide_picture_keeps_its_proportions_on_white() -> None:
    found = square(np.zeros((40, 80, 3), np.uint8))
    assert (found[2:6] == 0).all()
    assert (found[:2] == 1).all()
    assert (found[6:] == 1).all()


def test_colours_stay_apart() -> None:
    picture = np.zeros((20, 20, 3), np.uint8)
    picture[:, :] = (255, 0, 51)
    np.testing.assert_allclose(square(picture)[3, 3], [1, 0, 0.2])


def test_a_side_has_a_least() -> None:
    with pytest.raises(ValidationError, match="side"):
        Options(side=3)
