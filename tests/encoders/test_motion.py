from __future__ import annotations

import numpy as np
import pytest

from pipeline.encoders import motion
from pipeline.modalities.image.opencv import cv2
from pipeline.modalities.video.content import Clip, to_jpeg

RNG = np.random.default_rng(3)
BLOTS = cv2.GaussianBlur(RNG.integers(0, 256, (96, 96), dtype=np.uint8), (0, 0), 4)
GROUND = cv2.cvtColor(cv2.normalize(BLOTS, None, 0, 255, cv2.NORM_MINMAX), cv2.COLOR_GRAY2RGB)
# Where the means of a step stand, after those of a picture.
LENGTH, ACROSS, DOWN, OUTWARDS, TURNS = 4, 7, 8, 9, slice(10, 18)


def seen(*corners: tuple[int, int], ms: int = 100) -> np.ndarray:
    """What is told of a window of 64 pixels that goes from one place of the ground to the next."""
    pictures = [to_jpeg(GROUND[top : top + 64, left : left + 64]) for left, top in corners]
    clip = Clip(tuple(pictures), tuple(range(0, ms * len(pictures), ms)), ms * len(pictures))
    vector: np.ndarray = motion.Encoder(motion.Options()).encode([clip])[0][0]
    return vector


def test_what_stands_still() -> None:
    still = seen((0, 0), (0, 0), (0, 0))
    assert np.abs(still[2:10]).max() < 0.002
    assert still[:2].min() > 0


@pytest.mark.parametrize(
    ("corners", "place", "sign"),
    [
        ([(8, 8), (6, 8), (4, 8)], ACROSS, 1),
        ([(4, 8), (6, 8), (8, 8)], ACROSS, -1),
        ([(8, 8), (8, 6), (8, 4)], DOWN, 1),
        ([(8, 4), (8, 6), (8, 8)], DOWN, -1),
    ],
)
def test_pans_by_the_second(corners: list[tuple[int, int]], place: int, sign: int) -> None:
    """Two pixels of 64 in a tenth of a second."""
    vector = seen(*corners)
    assert vector[place] == pytest.approx(sign * 20 / 64, rel=0.2)
    assert abs(vector[ACROSS + DOWN - place]) < 0.03
    assert vector[TURNS].max() > 0.8
    assert vector[TURNS].sum() == pytest.approx(1)
    # Half as fast where the same takes twice as long.
    assert seen(*corners, ms=200)[place] == pytest.approx(vector[place] / 2)


def test_zooms() -> None:
    pictures = [cv2.resize(GROUND[s : 96 - s, s : 96 - s], (64, 64)) for s in (10, 12, 14)]
    clip = Clip(tuple(map(to_jpeg, pictures)), (0, 100, 200), 300)
    vector = motion.Encoder(motion.Options()).encode([clip])[0][0]
    assert vector[OUTWARDS] > 0.02
    backwards = Clip(clip.pictures[::-1], clip.times, clip.duration)
    assert motion.Encoder(motion.Options()).encode([backwards])[0][0][OUTWARDS] < -0.02


def test_one_picture_does_not_move() -> None:
    alone = seen((0, 0))
    assert not alone[2:18].any()
