"""What a file is, by its first bytes where they tell, else by the end of its name."""

from __future__ import annotations

from pathlib import PurePosixPath

HEAD_BYTES = 1024
UNKNOWN = "application/octet-stream"

# Our own table: the one in Python's mimetypes also reads files of the machine.
SUFFIXES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".mp4": "video/mp4",
    ".txt": "text/plain",
}

MAGIC = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"\xff\xf2", "audio/mpeg"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftyp", "video/mp4"),
)


def by_name(path: str) -> str:
    """The media type that a name's suffix promises."""
    return SUFFIXES.get(PurePosixPath(path).suffix.lower(), UNKNOWN)


def by_content(head: bytes, path: str) -> str:
    """The media type of a file from its first HEAD_BYTES bytes, or from its name.

    A text file called .ogg thus stays `audio/ogg`, and the audio decoder says what is wrong.
    """
    for offset, magic, media_type in MAGIC:
        riff = media_type in ("image/webp", "audio/wav")
        if head.startswith(magic, offset) and (not riff or head.startswith(b"RIFF")):
            return media_type
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<svg") or (text.startswith((b"<?xml", b"<!")) and b"<svg" in text):
        return "image/svg+xml"
    return by_name(path)
