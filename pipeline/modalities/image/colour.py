"""Colours by a picture's ICC profile → sRGB, by littlecms.

A profile that says sRGB in other words changes nothing, and one that cannot be read is passed over,
as by browsers. The rendering intent is relative colorimetric with black point compensation: white
stays white, and colours that sRGB has stay as they are.
"""

from __future__ import annotations

import functools
import io
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform

    from pipeline.modalities.image.content import Image

# Levels by which a profile may move a colour and still be sRGB: profiles of it round differently.
SAME = 3


def to_srgb(image: np.ndarray, profile: bytes) -> Image:
    """uint8 of shape (height, width, 3) in the profile's colours, or (height, width) in its greys,
    or (height, width, 4) in its inks, → RGB. Other shapes than the profile is for stay as they are.
    """
    from PIL import Image as pillow
    from PIL import ImageCms

    mode = {2: "L", 3: "RGB"}.get(image.ndim if image.ndim == 2 else image.shape[2], "CMYK")
    transform = _transform(profile, mode)
    if transform is None:
        return image
    return np.asarray(ImageCms.applyTransform(pillow.fromarray(image, mode), transform))


@functools.lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCmsTransform | None:
    """To sRGB; None if it would change nothing, or the profile is not usable."""
    from PIL import Image as pillow
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != {"L": "GRAY"}.get(mode, mode):
            return None
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    if mode == "RGB":
        levels = np.arange(0, 256, 17, dtype=np.uint8)
        probe = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(16, -1, 3)
        converted = np.asarray(ImageCms.applyTransform(pillow.fromarray(probe), transform))
        if np.abs(converted.astype(int) - probe).max() <= SAME:
            return None
    return transform
