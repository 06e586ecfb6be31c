"""What files are, by content first and then by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.raw.media_types import UNKNOWN, by_content, by_name


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"OggS\x00", "audio/ogg"),
        (b"fLaC\x00", "audio/flac"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90", "audio/mpeg"),
        (b"\x00\x00\x00\x18ftypmp42", "video/mp4"),
        (b"\x00\x00\x00\x18ftypM4A ", "audio/mp4"),
        (b"<svg xmlns='x'/>", "image/svg+xml"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- drawn -->\n<svg/>", "image/svg+xml"),
    ],
)
def test_content_tells(head: bytes, media_type: str) -> None:
    assert by_content(head, "any.txt") == media_type


@pytest.mark.parametrize(
    "head", [b"", b"\x89PNG", b"....WAVE", b"<?xml version='1.0'?><html/>", b"plain words"]
)
def test_else_the_name_tells(head: bytes) -> None:
    assert by_content(head, "a.b/voice.OGG") == "audio/ogg"
    assert by_content(head, "voice") == UNKNOWN


@given(st.binary(max_size=40), st.text())
def test_anything_has_a_media_type(head: bytes, path: str) -> None:
    assert by_content(head, path).count("/") == 1
    assert by_name(path).count("/") == 1
