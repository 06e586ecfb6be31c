"""Pictures for the tests that hold for all modalities and encoders."""

from __future__ import annotations

import numpy as np

from pipeline.modalities.image.opencv import cv2

TELLS_DAMAGE = True
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink"'


def files() -> dict[str, bytes]:
    return {
        "image/png": encoded(scene(), ".png"),
        "image/jpeg": encoded(scene(), ".jpg"),
        "image/webp": encoded(scene(), ".webp"),
        "image/svg+xml": svg('<circle cx="50" cy="25" r="20" fill="#c33"/>'),
    }


def contents() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    sizes = [(1, 1), (4, 60), (256, 256), (37, 91), (200, 150)]
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


def scene(height: int = 40, width: int = 60) -> np.ndarray:
    """RGB, no two quarters alike: red, green, blue and a ramp of grey."""
    picture = np.zeros((height, width, 3), np.uint8)
    top, left = height // 2, width // 2
    picture[:top, :left] = (220, 30, 20)
    picture[:top, left:] = (20, 200, 40)
    picture[top:, :left] = (30, 40, 210)
    picture[top:, left:] = np.linspace(0, 255, width - left, dtype=np.uint8)[None, :, None]
    return picture


def encoded(picture: np.ndarray, ending: str, *flags: int) -> bytes:
    """A file of an RGB or RGBA picture, by OpenCV."""
    code = cv2.COLOR_RGBA2BGRA if picture.shape[2] == 4 else cv2.COLOR_RGB2BGR
    return cv2.imencode(ending, cv2.cvtColor(picture, code), flags)[1].tobytes()


def svg(body: str, attributes: str = 'viewBox="0 0 100 50"') -> bytes:
    """An SVG of 100 by 50 units."""
    return SVG + f" {attributes}>{body}</svg>".encode()
