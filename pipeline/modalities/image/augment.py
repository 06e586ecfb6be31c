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

import numpy as np
from pydantic import Field

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.options import Options as _Options

if TYPE_CHECKING:
    from pipeline.modalities.image.content import Image

COST_MS = 0.5


def _probability(value: float) -> Any:
    return Field(value, ge=0, le=1, description="probability of the operation in a view")


class Options(_Options):
    """How many views, and how far they may stray. An operation of probability 0 never occurs."""

    views: int = Field(2, ge=0, le=100, description="augmented views of each picture")
    crop: float = _probability(0.5)
    crop_min: float = Field(0.7, gt=0, le=1, description="smallest side kept, share of the side")
    # Off, because letters, digits and clock faces do not survive it.
    flip: float = _probability(0.0)
    rotate: float = _probability(0.5)
    rotate_max: float = Field(15.0, ge=0, le=180, description="degrees to either side")
    scale: float = _probability(0.5)
    scale_min: float = Field(0.6, gt=0, le=1, description="smallest size, share of the picture's")
    colour: float = _probability(0.8)
    brightness: float = Field(0.2, ge=0, lt=1, description="largest change, as a share")
    contrast: float = Field(0.2, ge=0, lt=1, description="largest change, as a share")
    saturation: float = Field(0.3, ge=0, le=1, description="largest change, as a share")
    hue: float = Field(10.0, ge=0, le=180, description="degrees to either side")
    erase: float = _probability(0.25)
    erase_max: float = Field(0.3, gt=0, le=1, description="largest side erased, share of the side")


def draw(rng: np.random.Generator, options: Options) -> list[dict[str, Any]]:
    """The recipe of one view: operations in order, each a dict of plain numbers and strings.

    Every operation is drawn, used or not, so that one's probability does not move the others.
    """

    def between(low: float, high: float) -> float:
        return round(float(rng.uniform(low, high)), 4)

    def around(middle: float, span: float) -> float:
        return between(middle - span, middle + span)

    def box(smallest: float, largest: float) -> dict[str, float]:
        width, height = between(smallest, largest), between(smallest, largest)
        left, top = between(0, 1 - width), between(0, 1 - height)
        return {"left": left, "top": top, "width": width, "height": height}

    operations: list[tuple[float, dict[str, Any]]] = [
        (options.crop, {"op": "crop", **box(options.crop_min, 1)}),
        (options.flip, {"op": "flip"}),
        (options.rotate, {"op": "rotate", "degrees": around(0, options.rotate_max)}),
        (
            options.scale,
            {
                "op": "scale",
                "factor": between(options.scale_min, 1),
                "x": between(0, 1),
                "y": between(0, 1),
            },
        ),
        (
            options.colour,
            {
                "op": "colour",
                "brightness": around(1, options.brightness),
                "contrast": around(1, options.contrast),
                "saturation": around(1, options.saturation),
                "hue": around(0, options.hue),
            },
        ),
        (options.erase, {"op": "erase", **box(options.erase_max / 3, options.erase_max)}),
    ]
    return [operation for probability, operation in operations if rng.random() < probability]


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
    from pipeline.modalities.image.opencv import cv2

    height, width = image.shape[:2]
    cosine, sine = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    # Rounded first, lest a right angle's 6e-17 add a pixel.
    new_width = math.ceil(round(width * cosine + height * sine, 6))
    new_height = math.ceil(round(width * sine + height * cosine, 6))
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
    matrix[:, 2] += (new_width - width) / 2, (new_height - height) / 2
    return cv2.warpAffine(image, matrix, (new_width, new_height), borderValue=(255, 255, 255))


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
    """Brightness, contrast and saturation as factors, hue turned by degrees; white stays white.

    White is the ground: were it to change, the picture would stand on it as a grey sheet. So
    contrast is that against white, and brightness bends the scale between black and white (it
    divides the exponent of a gamma curve). Saturation and hue are the W3C's matrices (Filter
    Effects 1, feColorMatrix `saturate` and `hueRotate`, luma of Rec. 709).
    """
    from pipeline.modalities.image.opencv import cv2

    luma = np.array([0.213, 0.715, 0.072])
    grey = np.tile(luma, (3, 1))
    saturate = grey + saturation * (np.eye(3) - grey)
    quarter = np.array([[-0.213, -0.715, 0.928], [0.143, 0.140, -0.283], [-0.787, 0.715, 0.072]])
    angle = math.radians(hue)
    turn = grey + math.cos(angle) * (np.eye(3) - grey) + math.sin(angle) * quarter
    offset = np.full((3, 1), 255 * (1 - contrast))
    coloured = cv2.transform(image, np.hstack([contrast * turn @ saturate, offset]))
    curve = np.rint(255 * (np.arange(256) / 255) ** (1 / brightness)).astype(np.uint8)
    return cv2.LUT(coloured, curve)


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


_OPERATIONS = {
    function.__name__: function for function in (crop, flip, rotate, scale, colour, erase)
}
