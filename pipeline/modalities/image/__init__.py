"""Pictures: decoded from PNG, JPEG, WebP and SVG, kept as RGB on white of a bounded size."""

from __future__ import annotations

from pipeline.modalities import MediaType

MEDIA_TYPES = (
    MediaType("image/png", (".png",), rb"\x89PNG\r\n\x1a\n"),
    MediaType("image/jpeg", (".jpg", ".jpeg"), rb"\xff\xd8\xff"),
    MediaType("image/webp", (".webp",), rb"RIFF.{4}WEBP"),
    MediaType("image/gif", (".gif",)),
    MediaType("image/bmp", (".bmp",)),
    MediaType("image/tiff", (".tif", ".tiff")),
    MediaType("image/svg+xml", (".svg",), rb"(\xef\xbb\xbf)?\s*(<svg|(<\?xml|<!).*<svg)"),
)
INLINE = None
LEAK_KEY = "phash"
