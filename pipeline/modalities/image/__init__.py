"""Pictures: decoded from the MEDIA_TYPES, kept as RGB on white of a bounded size."""

from __future__ import annotations

from pipeline.modalities import MediaType

MEDIA_TYPES = (
    MediaType("image/png", (".png", ".apng"), rb"\x89PNG\r\n\x1a\n"),
    MediaType("image/jpeg", (".jpg", ".jpeg", ".jpe", ".jfif"), rb"\xff\xd8\xff"),
    MediaType("image/webp", (".webp",), rb"RIFF.{4}WEBP"),
    MediaType("image/gif", (".gif",), rb"GIF8[79]a"),
    MediaType("image/bmp", (".bmp",), rb"BM.{4}\0\0\0\0"),
    MediaType("image/tiff", (".tif", ".tiff"), rb"II\*\0|MM\0\*"),
    MediaType("image/jp2", (".jp2",), rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),
    MediaType("image/avif", (".avif",), rb".{4}ftyp(avif|avis|mif1.{4}([a-z0-9 ]{4})*avif)"),
    MediaType("image/heic", (".heic", ".heif"), rb".{4}ftyp(hei[cxms]|hev[cx]|mif1|msf1)"),
    MediaType(
        "image/svg+xml",
        (".svg",),
        rb"(\xef\xbb\xbf)?\s*(<svg|(?!(?i:<!doctype html|<html))(<\?xml|<!).*<svg)",
    ),
)
INLINE = None
LEAK_KEY = "phash"
