"""One piece of content, made ready for a page by pipeline/reporting/media/<modality>.py."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pipeline.core import registry
from pipeline.reporting.inputs import ReportInputs
from pipeline.reporting.options import ReportOptions

MEDIA = "reporting/media"


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


def uri(media_type: str, data: bytes) -> str:
    """Data as a URI that needs no request."""
    return f"data:{media_type};base64,{b64encode(data).decode()}"


def modules(modalities: Iterable[str]) -> list[str]:
    """The modules that show these modalities; one without such a module is not shown."""
    displayable = registry.names(MEDIA)
    return [f"pipeline.reporting.media.{name}" for name in modalities if name in displayable]


def make_card(modality: str, content: Any, options: ReportOptions) -> MediaCard | None:
    """Content of a modality, or None if there is no way to show it."""
    if modality not in registry.names(MEDIA):
        return None
    card: MediaCard = registry.load(MEDIA, modality).show(content, options)
    return card


def unpack_contents(inputs: ReportInputs, modality: str, digests: Iterable[str]) -> dict[str, Any]:
    """Digest → cleaned content, for those assets that cleaning passed."""
    unpack = registry.load(f"modalities/{modality}", "content").unpack
    packed = inputs.assets(modality, set(digests))
    return {digest: unpack(data, shape) for digest, (data, shape) in sorted(packed.items())}
