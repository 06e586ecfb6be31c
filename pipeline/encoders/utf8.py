"""A text as it is written: the bytes of its UTF-8, for decoders that read and copy it.

A byte's id is 1 + its value; 0 pads. A longer text is cut between characters. No weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from pipeline.core.options import Options as Base

MODALITY = "text"
COST_MS = 0.01
IDS = True


class Options(Base):
    """The fixed shape."""

    bytes: int = Field(256, ge=1, le=10_000, description="bytes of a text; longer ones are cut")


def shape(options: Options) -> tuple[int, ...]:
    """(bytes, 1)"""
    return options.bytes, 1


def weights(options: Options) -> list[Path]:
    """None are needed."""
    return []


class Encoder:
    """Text to the ids of its bytes, padded with 0."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def encode(self, contents: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Ids, float32 (n, bytes, 1), whole numbers from 1 to 256, and lengths, int32 (n,)."""
        ids = np.zeros((len(contents), *shape(self.options)), np.float32)
        lengths = np.zeros(len(contents), np.int32)
        for row, content in enumerate(contents):
            cut = content.encode()[: self.options.bytes].decode(errors="ignore").encode()
            lengths[row] = len(cut)
            ids[row, : len(cut), 0] = np.frombuffer(cut, np.uint8) + 1.0
        return ids, lengths


def decode_ids(ids: np.ndarray) -> list[str]:
    """The texts of rows of ids, (n, bytes)."""
    return [(row[row > 0] - 1).astype(np.uint8).tobytes().decode(errors="replace") for row in ids]
