"""What files are, by content first and then by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.raw.media_types import UNKNOWN, by_content, by_name, modality_by_name


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"OggS\x00", "audio/ogg"),
        (b"fLaC\x00", "audio/flac"),
        (b"GIF89a\x01", "image/gif"),
        (b"BM\x36\x04\0\0\0\0\0\0\x36", "image/bmp"),
        (b"II*\0\x08", "image/tiff"),
        (b"MM\0*\0", "image/tiff"),
        (b"\0\0\0\x0cjP  \r\n\x87\n\0", "image/jp2"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1", "image/avif"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "image/avif"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "image/heic"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "image/heic"),
        (b"RF64\xff\xff\xff\xffWAVEds64", "audio/wav"),
        (b"FORM\0\0\0\0AIFFCOMM", "audio/aiff"),
        (b"FORM\0\0\0\0AIFCFVER", "audio/aiff"),
        (b".snd\0\0\0\x18", "audio/basic"),
        (b"caff\0\x01\0\0desc", "audio/x-caf"),
        (b"\xff\xf1\x50\x80", "audio/aac"),
        (b"#!AMR\n", "audio/amr"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6", "audio/x-ms-wma"),
        (b"\xff\xfa\x90\xc4", "audio/mpeg"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90", "audio/mpeg"),
        (b"\x00\x00\x00\x18ftypmp42", "video/mp4"),
        (b"\x00\x00\x00\x18ftypM4A ", "audio/mp4"),
        (b"\0\0\0\x14ftypqt  ", "video/quicktime"),
        (b"\0\0\0\x08wide\0\0\x10\0mdat", "video/quicktime"),
        (b"\0\0\0\x14ftyp3gp4", "video/3gpp"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", "video/webm"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x88matroska", "video/x-matroska"),
        (b"RIFF\0\0\0\0AVI LIST", "video/x-msvideo"),
        (b"\0\0\x01\xba\x44", "video/mpeg"),
        ((b"G" + bytes(187)) * 5, "video/mp2t"),
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


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.jfif", "image/jpeg"),
        ("a.JPE", "image/jpeg"),
        ("a.heic", "image/heic"),
        ("a.avif", "image/avif"),
        ("a.jp2", "image/jp2"),
        ("a.aif", "audio/aiff"),
        ("a.au", "audio/basic"),
        ("a.caf", "audio/x-caf"),
        ("a.aac", "audio/aac"),
        ("a.wma", "audio/x-ms-wma"),
        ("a.amr", "audio/amr"),
    ],
)
def test_endings(name: str, media_type: str) -> None:
    assert by_name(name) == media_type


def test_a_brand_that_says_little_leaves_it_to_the_name() -> None:
    head = b"\0\0\0\x18ftypisom\0\0\0\0"
    assert by_content(head, "voice.m4a") == "audio/mp4"
    assert by_content(head, "clip.mp4") == "video/mp4"
    assert by_content(head, "clip.txt") == "video/mp4"


def test_of_what_two_begin_with_the_name_says_which_it_is() -> None:
    head = b"OggS\0\2" + bytes(22) + b"\x80theora"
    assert by_content(head, "clip.ogv") == "video/ogg"
    assert by_content(head, "clip.ogg") == "audio/ogg"


@pytest.mark.parametrize("name", ["a.gif", "a.webp"])
def test_pictures_that_move_are_pictures_where_nothing_else_is_said(name: str) -> None:
    assert modality_by_name(name) == "image"
    assert modality_by_name("a.mkv") == "video"


@pytest.mark.parametrize("start", [b"<!DOCTYPE html>", b"<html>", b"\n<!doctype HTML>"])
def test_a_page_with_a_drawing_in_it_is_no_drawing(start: bytes) -> None:
    assert by_content(start + b"<body><svg></svg></body>", "a.jpg") == "image/jpeg"
