"""Text in memory is `str`, in NFC and without a character at its edges that is white space."""

from __future__ import annotations

from collections.abc import Sequence


def pack(content: str) -> tuple[bytes, tuple[int, ...]]:
    """UTF-8 and the shape, (characters,)."""
    return content.encode(), (len(content),)


def unpack(data: bytes, shape: Sequence[int]) -> str:
    """The inverse of `pack`; UTF-8 carries the length, so `shape` is not needed."""
    return data.decode()
