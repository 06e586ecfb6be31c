"""One piece of content as a page shows it, whatever its modality."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass

from pydantic import Field

from pipeline.core.options import Options


class CardOptions(Options):
    """Bounds on what is shown of one piece."""

    picture: int = Field(
        176, ge=48, le=400, description="Longest side of a picture on the page, in pixels."
    )
    clip: float = Field(
        4.0, gt=0, le=20, description="Longest playable sound, in seconds; longer ones are cut."
    )


@dataclass(frozen=True)
class MediaCard:
    """Any of a picture and a sound as data: URIs, an outline as an SVG path, and words."""

    picture: str | None = None
    width: int = 0
    height: int = 0
    sound: str | None = None
    outline: str | None = None
    words: str | None = None
    caption: str = ""


@dataclass(frozen=True)
class Strip:
    """A stretch of time from left to right: pictures end to end, or an outline.

    Parameters
    ----------
    picture:
        A data: URI of pictures of one width.
    times:
        When each of them is shown, in ms, from left to right; None where there is none.
    outline:
        An SVG path in a box `width` wide and `height` high.
    """

    width: int
    height: int
    picture: str | None = None
    times: tuple[int | None, ...] = ()
    outline: str | None = None


def uri(media_type: str, data: bytes) -> str:
    """Data as a URI that needs no request."""
    return f"data:{media_type};base64,{b64encode(data).decode()}"
