"""Character n-grams of a text, hashed into a vector: no weights, any language.

Weinberger et al., "Feature Hashing for Large Scale Multitask Learning" (2009): each n-gram is
added or subtracted, as one bit of its hash says, at the place that the other bits say, so that
collisions cancel in expectation. N-grams of characters, those across a space included, tell
languages and word stems apart (Cavnar and Trenkle, "N-Gram-Based Text Categorization", 1994). The
hash is CRC-32 of the UTF-8 bytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from pipeline.core.options import Options as Base

MODALITY = "text"
COST_MS = 0.05


class Options(Base):
    """Which n-grams, and into how many numbers."""

    dimension: int = Field(512, ge=2, le=1 << 20, description="length of the vector")
    shortest: int = Field(1, ge=1, le=8, description="shortest n-gram, in characters")
    longest: int = Field(4, ge=1, le=8, description="longest n-gram, in characters")
    casefold: bool = Field(True, description="whether capitals count as small letters")

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.shortest > self.longest:
            raise ValueError("shortest must not exceed longest")
        return self


def shape(options: Options) -> tuple[int, ...]:
    """One vector a text."""
    return (options.dimension,)


def weights(options: Options) -> list[Path]:
    """None are needed."""
    return []


class Encoder:
    """Text to the hashed counts of its n-grams, scaled to length 1."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def encode(self, contents: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Vectors, float32 (n, dimension), and lengths, int32 (n,), all 1.

        A text whose n-grams cancel has the zero vector.
        """
        vectors = np.zeros((len(contents), self.options.dimension), np.float32)
        for vector, content in zip(vectors, contents, strict=True):
            hashes = np.array(self._hashes(content), np.int64)
            counts = np.bincount(
                (hashes >> 1) % len(vector), weights=(hashes & 1) * 2 - 1, minlength=len(vector)
            )
            vector[:] = counts / max(np.sqrt(counts @ counts), 1)
        return vectors, np.ones(len(contents), np.int32)

    def _hashes(self, content: str) -> list[int]:
        text = f" {content.casefold() if self.options.casefold else content} "
        return [
            zlib.crc32(text[start : start + n].encode())
            for n in range(self.options.shortest, self.options.longest + 1)
            for start in range(len(text) - n + 1)
        ]
