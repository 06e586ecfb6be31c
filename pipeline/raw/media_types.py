"""What a file is, by its first bytes where they tell, else by the end of its name."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

HEAD_BYTES = 1024
UNKNOWN = "application/octet-stream"

# Our own table: the one in Python's mimetypes also reads files of the machine.
SUFFIXES = {
    ".png": "image/png",
    ".apng": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".jpe": "image/jpeg",
    ".jfif": "image/jpeg",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".jp2": "image/jp2",
    ".avif": "image/avif",
    ".heic": "image/heic",
    ".heif": "image/heic",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".w64": "audio/wav",
    ".flac": "audio/flac",
    ".mp2": "audio/mpeg",
    ".mp3": "audio/mpeg",
    ".aif": "audio/aiff",
    ".aiff": "audio/aiff",
    ".aifc": "audio/aiff",
    ".au": "audio/basic",
    ".snd": "audio/basic",
    ".caf": "audio/x-caf",
    ".m4a": "audio/mp4",
    ".m4b": "audio/mp4",
    ".aac": "audio/aac",
    ".wma": "audio/x-ms-wma",
    ".amr": "audio/amr",
    ".mp4": "video/mp4",
    ".txt": "text/plain",
}

# First bytes; a dot stands for any.
MAGIC = tuple(
    (re.compile(pattern, re.DOTALL), media_type)
    for pattern, media_type in (
        (rb"\x89PNG\r\n\x1a\n", "image/png"),
        (rb"\xff\xd8\xff", "image/jpeg"),
        (rb"RIFF....WEBP", "image/webp"),
        (rb"GIF8[79]a", "image/gif"),
        (rb"BM....\0\0\0\0", "image/bmp"),
        (rb"II\*\0|MM\0\*", "image/tiff"),
        (rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", "image/jp2"),
        (rb"....ftyp(avif|avis|mif1.{4}([a-z0-9 ]{4})*avif)", "image/avif"),
        (rb"....ftyp(hei[cxms]|hev[cx]|mif1|msf1)", "image/heic"),
        (rb"(RIFF|RF64|BW64)....WAVE|riff.{20}wave", "audio/wav"),
        (rb"OggS", "audio/ogg"),
        (rb"fLaC", "audio/flac"),
        (rb"FORM....AIF[FC]", "audio/aiff"),
        (rb"\.snd\0\0\0", "audio/basic"),
        (rb"caff\0\x01", "audio/x-caf"),
        (rb"....ftypM4[AB]", "audio/mp4"),
        (rb"\xff[\xf0\xf1\xf8\xf9]", "audio/aac"),
        (rb"#!AMR", "audio/amr"),
        (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "audio/x-ms-wma"),
        (rb"ID3|\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff][\x10-\xef]", "audio/mpeg"),
    )
)
# An ISO base media file whose brand says no more is what its name says, if that is one.
ISO_MEDIA = frozenset({"audio/mp4", "image/heic", "image/avif"})


def by_name(path: str) -> str:
    """The media type that a name's suffix promises."""
    return SUFFIXES.get(PurePosixPath(path).suffix.lower(), UNKNOWN)


def by_content(head: bytes, path: str) -> str:
    """The media type of a file from its first HEAD_BYTES bytes, or from its name.

    A text file called .ogg thus stays `audio/ogg`, and the audio decoder says what is wrong.
    """
    for magic, media_type in MAGIC:
        if magic.match(head):
            return media_type
    if head[4:8] == b"ftyp":
        named = by_name(path)
        return named if named in ISO_MEDIA else "video/mp4"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    is_page = text[:14].lower().startswith((b"<!doctype html", b"<html"))
    if text.startswith(b"<svg") or (
        text.startswith((b"<?xml", b"<!")) and b"<svg" in text and not is_page
    ):
        return "image/svg+xml"
    return by_name(path)
