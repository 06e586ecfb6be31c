"""What a page needs to show one piece of content."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass


@dataclass(frozen=True)
class Shown:
    """Any of a picture and a sound as data: URIs, an outline as an SVG path, and words."""

    picture: str | None = None
    width: int = 0
    height: int = 0
    sound: str | None = None
    outline: str | None = None
    words: str | None = None
    caption: str = ""


def uri(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{b64encode(data).decode()}"
