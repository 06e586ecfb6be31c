"""Text: names, captions, sentences, documents, in any language."""

from __future__ import annotations

from pipeline.modalities import MediaType

INLINE = "text/plain"
MEDIA_TYPES = (MediaType(INLINE, (".txt",)),)
LEAK_KEY = None
