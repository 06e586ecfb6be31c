"""Text: names, captions, sentences, documents, subtitles, in any language."""

from __future__ import annotations

from pipeline.modalities import MediaType

INLINE = "text/plain"
MEDIA_TYPES = (
    MediaType(INLINE, (".txt",)),
    MediaType("application/x-subrip", (".srt",)),
    MediaType("text/vtt", (".vtt",)),
)
LEAK_KEY = None
