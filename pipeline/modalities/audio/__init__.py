"""Audio: mono sound at 16 kHz, decoded, cleaned and augmented."""

from __future__ import annotations

from pipeline.modalities import MediaType

MEDIA_TYPES = (
    MediaType("audio/ogg", (".ogg", ".oga", ".opus"), rb"OggS"),
    MediaType("audio/wav", (".wav",), rb"RIFF.{4}WAVE"),
    MediaType("audio/flac", (".flac",), rb"fLaC"),
    MediaType("audio/mpeg", (".mp3",), rb"ID3|\xff[\xfb\xf3\xf2]"),
    MediaType("audio/mp4", (".m4a",), rb".{4}ftypM4A"),
)
INLINE = None
LEAK_KEY = None
