"""Audio: mono sound at 16 kHz, decoded, cleaned and augmented."""

from __future__ import annotations

from pipeline.modalities import MediaType

MEDIA_TYPES = (
    MediaType("audio/ogg", (".ogg", ".oga", ".opus"), rb"OggS"),
    MediaType("audio/wav", (".wav", ".w64"), rb"(RIFF|RF64|BW64).{4}WAVE|riff.{20}wave"),
    MediaType("audio/flac", (".flac",), rb"fLaC"),
    MediaType("audio/aiff", (".aif", ".aiff", ".aifc"), rb"FORM.{4}AIF[FC]"),
    MediaType("audio/basic", (".au", ".snd"), rb"\.snd\0\0\0"),
    MediaType("audio/x-caf", (".caf",), rb"caff\0\x01"),
    MediaType("audio/mp4", (".m4a", ".m4b"), rb".{4}ftypM4[AB]"),
    MediaType("audio/aac", (".aac",), rb"\xff[\xf0\xf1\xf8\xf9]"),
    MediaType("audio/amr", (".amr",), rb"#!AMR"),
    MediaType("audio/x-ms-wma", (".wma",), rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    MediaType(
        "audio/mpeg",
        (".mp2", ".mp3"),
        rb"ID3|\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff][\x10-\xef]",
    ),
)
INLINE = None
LEAK_KEY = None
