from __future__ import annotations

import json

import numpy as np
import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.randomness import generator
from pipeline.modalities.image import augment
from pipeline.modalities.image.augment import Options, apply, draw
from tests.modalities.image.pictures import scene

NEVER = {"crop": 0.0, "flip": 0.0, "rotate": 0.0, "scale": 0.0, "colour": 0.0, "erase": 0.0}


def recipe(**probabilities: float) -> list[dict[str, object]]:
    return draw(generator(1, "augment"), Options(**NEVER | probabilities))


def test_operations_come_with_their_probability() -> None:
    assert recipe() == []
    for name in NEVER:
        assert [operation["op"] for operation in recipe(**{name: 1.0})] == [name]
    counts = [
        len(draw(generator(7, view), Options(**NEVER | {"rotate": 0.5}))) for view in range(400)
    ]
    assert 160 < sum(counts) < 240


def test_one_probability_does_not_move_the_others() -> None:
    alone = recipe(erase=1.0)[-1]
    assert recipe(erase=1.0, crop=1.0, rotate=1.0)[-1] == alone


def test_flipping_is_off_unless_asked_for() -> None:
    views = [draw(generator(3, view), Options()) for view in range(200)]
    assert {operation["op"] for view in views for operation in view} == set(NEVER) - {"flip"}


def test_ranges() -> None:
    options = Options(**dict.fromkeys(NEVER, 1.0), crop_min=0.5, scale_min=0.4, rotate_max=30.0)
    for view in range(200):
        crop, _, rotate, scale, colour, erase = draw(generator(5, view), options)
        for box, low, high in ((crop, 0.5, 1), (erase, 0.1, 0.3)):
            assert low <= box["width"] <= high
            assert low <= box["height"] <= high
            assert 0 <= box["left"] <= 1 - box["width"] + 1e-9
            assert 0 <= box["top"] <= 1 - box["height"] + 1e-9
        assert -30 <= rotate["degrees"] <= 30
        assert 0.4 <= scale["factor"] <= 1
        assert 0.8 <= colour["brightness"] <= 1.2
        assert -10 <= colour["hue"] <= 10


def test_crop_takes_its_box() -> None:
    box = {"op": "crop", "left": 0.5, "top": 0.25, "width": 0.5, "height": 0.5}
    np.testing.assert_array_equal(apply(scene(), [box]), scene()[10:30, 30:60])


def test_flip_exchanges_left_and_right() -> None:
    np.testing.assert_array_equal(apply(scene(), [{"op": "flip"}]), scene()[:, ::-1])


@pytest.mark.parametrize(("degrees", "turns"), [(90.0, 1), (180.0, 2), (-90.0, 3)])
def test_right_angles_move_pixels_only(degrees: float, turns: int) -> None:
    rotated = apply(scene(), [{"op": "rotate", "degrees": degrees}])
    np.testing.assert_array_equal(rotated, np.rot90(scene(), turns))


def test_rotation_keeps_all_of_the_picture_on_white() -> None:
    black = np.zeros((40, 60, 3), np.uint8)
    rotated = apply(black, [{"op": "rotate", "degrees": 30.0}])
    assert rotated.shape == (65, 72, 3)
    assert (255 - rotated[:, :, 0].astype(int)).sum() == pytest.approx(255 * 40 * 60, rel=0.01)
    assert rotated[0, 0].tolist() == [255, 255, 255]


def test_scale_shrinks_in_place() -> None:
    black = np.zeros((40, 60, 3), np.uint8)
    small = apply(black, [{"op": "scale", "factor": 0.5, "x": 1.0, "y": 0.0}])
    expected = np.full((40, 60, 3), 255, np.uint8)
    expected[:20, 30:] = 0
    np.testing.assert_array_equal(small, expected)


def colour(**changes: float) -> dict[str, object]:
    same = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0}
    return {"op": "colour", **same, **changes}


def test_colour_can_leave_all_as_it_is() -> None:
    assert np.abs(apply(scene(), [colour()]).astype(int) - scene()).max() <= 1


@pytest.mark.parametrize(
    "change", [{"brightness": 0.7}, {"contrast": 1.3}, {"saturation": 0.2}, {"hue": 90.0}]
)
def test_white_stays_white(change: dict[str, float]) -> None:
    white = np.full((4, 4, 3), 255, np.uint8)
    assert apply(white, [colour(**change)]).min() >= 254
    assert np.abs(apply(scene(), [colour(**change)]).astype(int) - scene()).max() > 10


def test_colours_change_as_they_are_named() -> None:
    grey = apply(scene(), [colour(saturation=0.0)]).astype(int)
    assert np.abs(np.ptp(grey, axis=2)).max() <= 1
    assert apply(scene(), [colour(brightness=1.3)]).mean() > scene().mean()
    assert apply(scene(), [colour(contrast=0.5)]).std() < scene().std() * 0.6
    red = np.full((1, 1, 3), (200, 60, 60), np.uint8)
    turned = apply(red, [colour(hue=120.0)])[0, 0]
    assert turned.argmax() == 1


def test_erase_paints_its_box_white() -> None:
    erased = apply(scene(), [{"op": "erase", "left": 0.5, "top": 0, "width": 0.25, "height": 0.5}])
    assert (erased[:20, 30:45] == 255).all()
    np.testing.assert_array_equal(erased[20:], scene()[20:])


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 3)])
def test_no_picture_is_too_small(shape: tuple[int, int]) -> None:
    options = Options(**dict.fromkeys(NEVER, 1.0), crop_min=0.01, scale_min=0.01, erase_max=0.03)
    picture = np.full((*shape, 3), 90, np.uint8)
    for view in range(50):
        changed = apply(picture, draw(generator(2, view), options))
        assert changed.ndim == 3
        assert min(changed.shape) >= 1


def test_unknown_operations_are_named() -> None:
    with pytest.raises(PipelineError, match=r"'melt'.*colour, crop, erase"):
        apply(scene(), [{"op": "melt"}])


def test_a_recipe_is_data() -> None:
    drawn = draw(generator(9), Options(**dict.fromkeys(NEVER, 1.0)))
    assert json.loads(json.dumps(drawn)) == drawn
    assert set(augment._OPERATIONS) == {operation["op"] for operation in drawn}
