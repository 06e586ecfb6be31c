from __future__ import annotations

import numpy as np

from pipeline.core.spans import evenly
from pipeline.modalities.video.augment import apply
from pipeline.modalities.video.content import Clip, from_jpeg, pack, to_jpeg, unpack
from pipeline.modalities.video.examples import moving


def test_a_clip_is_stored_with_its_times() -> None:
    clip = Clip(tuple(map(to_jpeg, moving(3, 40, 70))), (0, 2**33, 2**40), 2**41)
    data, shape = pack(clip)
    assert shape == (3, 40, 70, 3)
    assert unpack(data, list(shape)) == clip


def test_a_view_is_stored_as_it_looks() -> None:
    clip = Clip(tuple(map(to_jpeg, moving(3, 40, 70))), (0, 40, 80), 120)
    view = apply(clip, [{"op": "crop", "left": 0, "top": 0, "width": 0.5, "height": 0.5}])
    stored = unpack(*pack(view))
    assert not stored.operations
    for seen, made in zip(stored.images(), view.images(), strict=True):
        assert seen.shape == (20, 35, 3)
        assert np.abs(seen.astype(int) - made).mean() < 3


def test_pictures_lose_little() -> None:
    for picture in moving(3):
        assert np.abs(from_jpeg(to_jpeg(picture)).astype(int) - picture).mean() < 2


def test_evenly() -> None:
    assert evenly(3, 5) == [0, 1, 2]
    assert evenly(6, 3) == [1, 3, 5]
    assert evenly(100, 1) == [50]
