"""A picture in memory, uint8 RGB of shape (height, width, 3), and in storage: its raw bytes.

Raw rather than PNG, since compression belongs to the table that holds it and features are
extracted more often than pictures are cleaned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    Image = np.ndarray  # OpenCV's stubs know no narrower type


def pack(content: Image) -> tuple[bytes, tuple[int, ...]]:
    """Bytes in row-major order, and the shape (height, width, 3)."""
    return content.tobytes(), content.shape


def unpack(data: bytes, shape: Sequence[int]) -> Image:
    """The picture that `pack` stored, as a read-only view of `data`."""
    return np.frombuffer(data, np.uint8).reshape(shape)
