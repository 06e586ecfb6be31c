"""A text as a sequence of words, for networks that learn to read: no weights, any language.

A word is a run of letters, marks and digits; its id is a hash of it, 1 + CRC-32 of the UTF-8 bytes
modulo 2^24 - 1, so that a row depends on its text alone and float32 holds it exactly. In scripts
that put no space between words (Han, kana, Thai, Lao, Burmese, Khmer) overlapping pairs of
characters are the words, as search engines have them. A text without any letter is one word.

A tower `embedding` finds the vocabulary in the train split. 0 pads, and is no word's id.
"""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from pydantic import Field

from pipeline.core.options import Options as Base

MODALITY = "text"
COST_MS = 0.05
IDS = True
LARGEST = 2**24 - 1
# First and last characters of blocks of scripts without spaces.
UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # hiragana, katakana
    (0x3400, 0x9FFF),  # Han
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)


class Options(Base):
    """The fixed shape, and what counts as one word."""

    words: int = Field(64, ge=1, le=10_000, description="words of a sequence; longer texts are cut")
    casefold: bool = Field(True, description="whether capitals count as small letters")


def shape(options: Options) -> tuple[int, ...]:
    """(words, 1)"""
    return options.words, 1


def weights(options: Options) -> list[Path]:
    """None are needed."""
    return []


class Encoder:
    """Text to the ids of its words, padded with 0."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def encode(self, contents: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Ids, float32 (n, words, 1), whole numbers from 1 to 2^24 - 1, and lengths, int32 (n,)."""
        ids = np.zeros((len(contents), *shape(self.options)), np.float32)
        lengths = np.zeros(len(contents), np.int32)
        for row, content in enumerate(contents):
            text = content.casefold() if self.options.casefold else content
            word_ids = [1 + zlib.crc32(word.encode()) % LARGEST for word in words(text)]
            lengths[row] = min(len(word_ids), self.options.words)
            ids[row, : lengths[row], 0] = word_ids[: lengths[row]]
        return ids, lengths


def words(text: str) -> list[str]:
    """Its words in order; the text itself if it has none."""
    result: list[str] = []
    for kind, run in groupby(text, _kind):
        word = "".join(run)
        if kind == "unspaced" and len(word) > 1:
            result += [word[i : i + 2] for i in range(len(word) - 1)]
        elif kind is not None:
            result.append(word)
    return result or [text]


def _kind(character: str) -> str | None:
    """What a word may be a run of; None for all that parts words."""
    if unicodedata.category(character)[0] not in "LMN":
        return None
    place = ord(character)
    return "unspaced" if any(a <= place <= b for a, b in UNSPACED) else "spaced"
