"""Files of subtitles, of which the words of a span are text."""

from __future__ import annotations

from pipeline.core.errors import Rejected
from pipeline.core.spans import Span
from pipeline.core.text_decoding import decode
from pipeline.modalities.text.clean import Options
from pipeline.modalities.text.subtitles import cues, words

MEDIA_TYPES = frozenset({"application/x-subrip", "text/vtt"})
GIVES = frozenset({"text"})
# Bytes; a film of a day has a tenth of it.
LARGEST = 16 << 20


def parameters() -> dict[str, str]:
    return {}


def take(
    data: bytes, modality: str, span: Span | None, options: Options
) -> tuple[bytes, dict[str, float]]:
    """UTF-8; Rejected: `too_long`, `not_utf8`, `binary`, `undecodable`, `absent`."""
    if len(data) > LARGEST:
        raise Rejected("too_long", f"subtitles of more than {LARGEST >> 20} MiB are none")
    return words(cues(decode(data, options.fallback)), span).encode(), {}
