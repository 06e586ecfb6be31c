"""Changed views of a picture: drawn as data, applied as a pure function.

Operations are few lines of OpenCV each rather than a library's, because a recipe must be data that
replays to the same bytes. Albumentations is no longer maintained and its successor is AGPL;
torchvision and both of these draw from a random state of their own while they apply.

Sizes and places are fractions of the picture, so that a recipe can be drawn without it. What comes
into view from outside is white, the ground on which clean pictures stand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from pipeline.errors import PipelineError, unknown
from pipeline.options import Options as _Options

if TYPE_CHECKING:
    import numpy as np

    from pipeline.modalities.image.content import Image

COST_MS = 0.5


def _probability(value: float) -> Any:
    return Field(value, ge=0, le=1, description="probability of the operation in a view")


class Options(_Options):
    """How many views, and how far they may stray. An operation of probability 0 never occurs."""

    views: int = Field(2, ge=0, le=100, description="augmented views of each picture")
    crop: float = _probability(0.5)
    crop_min: float = Field(0.7, gt=0, le=1, description="smallest side kept, share of the side")
    flip: float = _probability(0.0)
    rotate: float = _probability(0.5)
    rotate_max: float = Field(15.0, ge=0, le=180, description="degrees to either side")
    scale: float = _probability(0.5)
    scale_min: float = Field(0.6, gt=0, le=1, description="smallest size, share of the picture's")
    colour: float = _probability(0.8)
    brightness: float = Field(0.2, ge=0, lt=1, description="largest change, share of the value")
    contrast: float = Field(0.2, ge=0, lt=1, description="largest change, share of the contrast")
    saturation: float = Field(0.3, ge=0, le=1, description="largest change, share of the colour")
    hue: float = Field(10.0, ge=0, le=180, description="degrees to either side")
    erase: float = _probability(0.25)
    erase_max: float = Field(0.3, gt=0, le=1, description="largest side erased, share of the side")


def draw(rng: np.random.Generator, options: Options) -> list[dict[str, Any]]:
    """The recipe of one view: operations in order, each a dict of plain numbers and strings.

    Flipping is off by default, because letters, digits and clock faces do not survive it.
    """
    recipe: list[dict[str, Any]] = []

    def between(low: float, high: float) -> float:
        return round(float(rng.uniform(low, high)), 4)

    def happens(probability: float) -> bool:
        return bool(rng.random() < probability)

    def box(smallest: float, largest: float) -> dict[str, float]:
        width, height = between(smallest, largest), between(smallest, largest)
        left, top = between(0, 1 - width), between(0, 1 - height)
        return {"left": left, "top": top, "width": width, "height": height}

    if happens(options.crop):
        recipe.append({"op": "crop", **box(options.crop_min, 1)})
    if happens(options.flip):
        recipe.append({"op": "flip"})
    if happens(options.rotate):
        degrees = between(-options.rotate_max, options.rotate_max)
        recipe.append({"op": "rotate", "degrees": degrees})
    if happens(options.scale):
        factor = between(options.scale_min, 1)
        recipe.append({"op": "scale", "factor": factor, "x": between(0, 1), "y": between(0, 1)})
    if happens(options.colour):
        recipe.append(
            {
                "op": "colour",
                "brightness": between(1 - options.brightness, 1 + options.brightness),
                "contrast": between(1 - options.contrast, 1 + options.contrast),
                "saturation": between(1 - options.saturation, 1 + options.saturation),
                "hue": between(-options.hue, options.hue),
            }
        )
    if happens(options.erase):
        recipe.append({"op": "erase", **box(options.erase_max / 3, options.erase_max)})
    return recipe


def apply(content: Image, recipe: Sequence[dict[str, Any]]) -> Image:
    """The view that a recipe makes of a picture: uint8 RGB, its size as the operations leave it.

    Raises
    ------
    PipelineError
        The recipe names an operation that there is not.
    """
    for operation in recipe:
        arguments = {name: value for name, value in operation.items() if name != "op"}
        try:
            function = _OPERATIONS[operation["op"]]
        except KeyError:
            raise PipelineError(
                unknown("image operation", str(operation.get("op")), _OPERATIONS)
            ) from None
        content = function(content, **arguments)
    return content


def crop(image: Image, left: float, top: float, width: float, height: float) -> Image:
    """The part of the picture in the box."""
    x, y, right, bottom = _box(image, left, top, width, height)
    return image[y:bottom, x:right]


def flip(image: Image) -> Image:
    """Left and right exchanged."""
    from pipeline.modalities.image.opencv import cv2

    return cv2.flip(image, 1)


def rotate(image: Image, degrees: float) -> Image:
    """Turned counter-clockwise on a canvas that grows to hold the corners."""
    height, width = image.shape[:2]
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    new_width = math.ceil(width * abs(cosine) + height * abs(sine) - 1e-6)
    new_height = math.ceil(width * abs(sine) + height * abs(cosine) - 1e-6)
    from_middle = ((width - 1) / 2, (height - 1) / 2)
    to_middle = ((new_width - 1) / 2, (new_height - 1) / 2)
    linear = ((cosine, sine), (-sine, cosine))
    return _warp(image, linear, from_middle, to_middle, (new_width, new_height))


def scale(image: Image, factor: float, x: float, y: float) -> Image:
    """Shrunk on a canvas of the old size; `x`, `y` place it, from 0 (left, top) to 1."""
    from pipeline.modalities.image.opencv import cv2

    height, width = image.shape[:2]
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    left, top = round((width - size[0]) * x), round((height - size[1]) * y)
    return cv2.copyMakeBorder(
        small,
        top,
        height - size[1] - top,
        left,
        width - size[0] - left,
        cv2.BORDER_CONSTANT,
        value=(255, 255, 255),
    )


def colour(
    image: Image, brightness: float, contrast: float, saturation: float, hue: float
) -> Image:
    """Brightness, contrast about mid-grey, saturation as factors, and hue turned by degrees.

    All four are affine, so they are one matrix; those of saturation and hue are the W3C's
    (Filter Effects 1, feColorMatrix `saturate` and `hueRotate`, with Rec. 709 luma).
    """
    import numpy as np

    from pipeline.modalities.image.opencv import cv2

    luma = np.array([0.213, 0.715, 0.072])
    grey = np.tile(luma, (3, 1))
    saturate = grey + saturation * (np.eye(3) - grey)
    quarter = np.array([[-0.213, -0.715, 0.928], [0.143, 0.140, -0.283], [-0.787, 0.715, 0.072]])
    angle = math.radians(hue)
    turn = grey + math.cos(angle) * (np.eye(3) - grey) + math.sin(angle) * quarter
    matrix = contrast * brightness * (turn @ saturate)
    offset = np.full((3, 1), 127.5 * (1 - contrast))
    return cv2.transform(image, np.hstack([matrix, offset]))


def erase(image: Image, left: float, top: float, width: float, height: float) -> Image:
    """The box painted white, as if something stood before it."""
    x, y, right, bottom = _box(image, left, top, width, height)
    erased = image.copy()
    erased[y:bottom, x:right] = 255
    return erased


def _box(
    image: Image, left: float, top: float, width: float, height: float
) -> tuple[int, int, int, int]:
    """Fractions → left, top, right, bottom in pixels, at least one pixel wide and high."""
    rows, columns = image.shape[:2]
    x, y = min(int(left * columns), columns - 1), min(int(top * rows), rows - 1)
    right = min(columns, x + max(1, round(width * columns)))
    bottom = min(rows, y + max(1, round(height * rows)))
    return x, y, right, bottom


def _warp(
    image: Image,
    linear: tuple[tuple[float, float], tuple[float, float]],
    from_middle: tuple[float, float],
    to_middle: tuple[float, float],
    size: tuple[int, int],
) -> Image:
    import numpy as np

    from pipeline.modalities.image.opencv import cv2

    matrix = np.array(linear)
    shift = np.array(to_middle) - matrix @ np.array(from_middle)
    return cv2.warpAffine(
        image,
        np.hstack([matrix, shift[:, None]]),
        size,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(255, 255, 255),
    )


_OPERATIONS = {
    function.__name__: function for function in (crop, flip, rotate, scale, colour, erase)
}
