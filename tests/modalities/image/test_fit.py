from __future__ import annotations

import numpy as np
import pytest

from pipeline.modalities.image.fit import letterbox


@pytest.mark.parametrize(
    ("shape", "rows", "columns"),
    [
        ((100, 200), slice(16, 48), slice(0, 64)),
        ((20, 10), slice(0, 64), slice(16, 48)),
        ((1, 500), slice(31, 32), slice(0, 64)),
        ((64, 64), slice(0, 64), slice(0, 64)),
    ],
)
def test_whole_and_in_the_middle(shape: tuple[int, int], rows: slice, columns: slice) -> None:
    expected = np.full((64, 64, 3), 255, np.uint8)
    expected[rows, columns] = (10, 20, 30)
    picture = np.full((*shape, 3), (10, 20, 30), np.uint8)
    np.testing.assert_array_equal(letterbox(picture, 64), expected)
