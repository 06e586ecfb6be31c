"""Files of subtitles, of which the words of a span are text."""

from __future__ import annotations

from pipeline.core.spans import Span
from pipeline.core.text_decoding import decode
from pipeline.modalities.text.clean import Options
from pipeline.modalities.text.subtitles import cues, words

MEDIA_TYPES = frozenset({"application/x-subrip", "text/vtt"})
GIVES = frozenset({"text"})


def parameters() -> dict[str, str]:
    return {}


def take(data: bytes, modality: str, span: Span | None, options: Options) -> bytes:
    """UTF-8; Rejected: `not_utf8`, `binary`, `undecodable`, `absent`."""
    return words(cues(decode(data, options.fallback)), span).encode()
