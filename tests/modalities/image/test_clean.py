from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import Rejected
from pipeline.modalities.image.clean import MEASUREMENTS, Options, bounded, clean, most_bytes
from tests.modalities.image.pictures import encoded, scene, svg

OPTIONS = Options()


def reason(picture: np.ndarray, options: Options = OPTIONS) -> str:
    with pytest.raises(Rejected) as caught:
        clean(encoded(picture, ".png"), "image/png", options)
    return caught.value.reason


def test_a_small_picture_stays_as_it_is() -> None:
    content, measured = clean(encoded(scene(), ".png"), "image/png", OPTIONS)
    np.testing.assert_array_equal(content, scene())
    assert list(measured) == [name for name, _ in MEASUREMENTS]
    assert (measured["width"], measured["height"]) == (60, 40)
    grey = scene() @ [0.299, 0.587, 0.114]
    assert measured["brightness"] == pytest.approx(grey.mean(), abs=0.5)
    assert measured["contrast"] == pytest.approx(grey.std(), abs=0.5)


@pytest.mark.parametrize(
    ("height", "width", "expected"), [(300, 600, (32, 64)), (64, 64, (64, 64)), (1000, 60, (64, 4))]
)
def test_a_large_picture_is_bounded(height: int, width: int, expected: tuple[int, int]) -> None:
    options = Options(max_side=64)
    content, measured = clean(encoded(scene(height, width), ".png"), "image/png", options)
    assert content.shape == (*expected, 3)
    assert (measured["width"], measured["height"]) == (width, height)


def test_the_largest_picture_takes_no_more_than_is_planned_for() -> None:
    options = Options(max_side=64)
    content, _ = clean(encoded(scene(200, 200), ".png"), "image/png", options)
    assert content.nbytes == most_bytes(1, options)


def test_scaling_down_averages_areas() -> None:
    picture = scene(64, 64)
    means = picture.reshape(32, 2, 32, 2, 3).mean((1, 3))
    assert np.abs(bounded(picture, 32) - means).max() <= 0.5


def test_drawings_are_as_large_as_allowed() -> None:
    data = svg('<circle cx="50" cy="25" r="20"/>')
    content, measured = clean(data, "image/svg+xml", Options(max_side=80))
    assert content.shape == (40, 80, 3)
    assert (measured["width"], measured["height"]) == (80, 40)


def test_blank() -> None:
    assert reason(np.full((20, 20, 3), 77, np.uint8)) == "blank"
    assert reason(np.zeros((20, 20, 4), np.uint8)) == "blank"
    noise = np.random.default_rng(0).integers(100, 103, (20, 20, 3), dtype=np.uint8)
    assert reason(noise) == "blank"


def test_a_few_dark_pixels_are_no_blank() -> None:
    picture = np.full((200, 200, 3), 255, np.uint8)
    picture[100, 100] = 0
    clean(encoded(picture, ".png"), "image/png", OPTIONS)


def test_a_dot_on_a_large_plane_is_no_blank() -> None:
    for at in (1500, 1504):
        picture = np.full((3000, 3000, 3), 255, np.uint8)
        picture[at : at + 12, at : at + 12] = (0, 0, 200)
        content, measured = clean(encoded(picture, ".png"), "image/png", OPTIONS)
        assert measured["contrast"] < 1
        assert content.min() < 240
    clean(svg('<circle cx="50" cy="25" r="0.3"/>'), "", OPTIONS)


def test_colours_of_one_grey_are_no_blank() -> None:
    picture = np.full((20, 20, 3), (200, 0, 0), np.uint8)
    picture[:, 10:] = (0, 102, 0)
    _, measured = clean(encoded(picture, ".png"), "image/png", OPTIONS)
    assert measured["contrast"] < 1


def test_too_small() -> None:
    assert reason(scene(3, 60)) == "too_small"
    assert reason(scene(30, 40), Options(min_side=31)) == "too_small"


def test_too_elongated() -> None:
    assert reason(scene(4, 81)) == "too_elongated"


def test_the_media_type_may_err() -> None:
    content, _ = clean(encoded(scene(), ".webp", 64, 101), "audio/ogg", OPTIONS)
    assert content.shape == (40, 60, 3)
