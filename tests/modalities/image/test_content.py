from __future__ import annotations

import numpy as np

from pipeline.modalities.image.content import pack, unpack
from tests.modalities.image.pictures import scene


def test_views_into_larger_pictures_are_packed() -> None:
    part = scene()[5:20, 3:30]
    data, shape = pack(part)
    assert len(data) == 15 * 27 * 3
    np.testing.assert_array_equal(unpack(data, shape), part)
