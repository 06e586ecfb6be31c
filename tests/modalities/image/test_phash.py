from __future__ import annotations

import numpy as np

from pipeline.modalities.image.opencv import cv2
from pipeline.modalities.image.phash import phash
from tests.modalities.image.pictures import encoded


def drawing(seed: int) -> np.ndarray:
    """Grey blots on white."""
    rng = np.random.default_rng(seed)
    picture = np.full((120, 160), 255, np.uint8)
    for _ in range(8):
        centre = int(rng.integers(160)), int(rng.integers(120))
        cv2.circle(picture, centre, int(rng.integers(8, 30)), int(rng.integers(200)), -1)
    return picture


def distance(first: np.ndarray, second: np.ndarray) -> int:
    return (int(phash(first), 16) ^ int(phash(second), 16)).bit_count()


def test_the_median_splits_the_bits() -> None:
    assert int(phash(drawing(0)), 16).bit_count() == 32
    assert len(phash(drawing(0))) == 16


def test_near_pictures_are_near() -> None:
    for seed in range(10):
        picture = drawing(seed)
        smaller = cv2.resize(picture, (70, 50), interpolation=cv2.INTER_AREA)
        assert distance(picture, smaller) <= 4
        jpeg = encoded(np.dstack([picture] * 3), ".jpg", cv2.IMWRITE_JPEG_QUALITY, 40)
        worn = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert distance(picture, worn) <= 4
        assert distance(picture, cv2.convertScaleAbs(picture, alpha=0.8, beta=10)) <= 4


def test_other_pictures_are_far() -> None:
    distances = [distance(drawing(a), drawing(b)) for a in range(10) for b in range(a)]
    assert min(distances) > 12
    assert 26 < np.mean(distances) < 38


def test_it_is_the_formula() -> None:
    """Mean of 7 by 7, orthonormal cosine transform, frequencies 1 to 8 both ways, median."""
    picture = cv2.resize(drawing(3), (32, 32), interpolation=cv2.INTER_AREA)
    padded = np.pad(picture.astype(float), 3, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (7, 7))
    smooth = np.rint(windows.mean((2, 3)))
    waves = np.cos(np.pi * np.outer(np.arange(32), 2 * np.arange(32) + 1) / 64)
    low = (waves @ smooth @ waves.T)[1:9, 1:9].ravel()
    bits = "".join("1" if value > np.median(low) else "0" for value in low)
    assert phash(picture) == f"{int(bits, 2):016x}"
