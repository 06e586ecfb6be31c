"""Text in memory is `str`: readable, in NFC, its words one space apart."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

# Unicode categories of what leaves no mark on paper: controls, joiners and other formats, spaces.
INVISIBLE = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})


def pack(content: str) -> tuple[bytes, tuple[int, ...]]:
    """UTF-8 and the shape, (characters,)."""
    return content.encode(), (len(content),)


def unpack(data: bytes, shape: Sequence[int]) -> str:
    """The inverse of `pack`; UTF-8 carries the length, so `shape` is not needed."""
    return data.decode()


def is_readable(content: str) -> bool:
    """Whether there is anything to be seen."""
    return any(unicodedata.category(character) not in INVISIBLE for character in content)
