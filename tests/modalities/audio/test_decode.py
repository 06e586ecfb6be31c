from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import Rejected
from pipeline.modalities.audio.decode import Recording, decode

RATE = 22_050


def sine(seconds: float, channels: int = 1) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    wave = 0.5 * np.sin(2 * np.pi * 440 * time)
    return np.stack([wave * (0.5**channel) for channel in range(channels)], axis=1)


def encoded(wave: np.ndarray, format: str, subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, wave, RATE, format=format, subtype=subtype)
    return file.getvalue()


def header(rate: int = RATE, channels: int = 1, size: int = 400, body: int = 400) -> bytes:
    """A WAV of 16 bits whose header claims what it likes, with `body` bytes of samples."""
    form = struct.pack("<IHHIIHH", 16, 1, channels, rate, 0, channels * 2, 16)
    chunks = b"WAVEfmt " + form + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", min(36 + size, 2**32 - 1)) + chunks + bytes(body)


def decoded(data: bytes) -> Recording:
    return decode(data, max_seconds=30, max_channels=8)


def refusal(data: bytes) -> str:
    with pytest.raises(Rejected) as refused:
        decoded(data)
    assert "/" not in refused.value.message
    assert "BytesIO" not in refused.value.message
    return refused.value.reason


@pytest.mark.parametrize(
    ("format", "subtype", "tolerance"),
    [
        ("WAV", "PCM_16", 1e-4),
        ("WAV", "FLOAT", 1e-7),
        ("FLAC", "PCM_24", 1e-6),
        ("OGG", "VORBIS", 0.05),
        ("MP3", "MPEG_LAYER_III", 0.05),
        ("AIFF", "PCM_16", 1e-4),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_formats(format: str, subtype: str, tolerance: float, channels: int) -> None:
    wave = sine(0.3, channels)
    recording = decoded(encoded(wave, format, subtype))
    assert recording.sampling_rate == RATE
    assert recording.samples.dtype == np.float32
    np.testing.assert_allclose(recording.samples, wave, atol=tolerance)


def test_no_bytes() -> None:
    assert refusal(b"") == "empty_file"


@pytest.mark.parametrize(
    "data",
    [
        b"This is a text file under a sound's name.\n" * 50,
        b"\x89PNG\r\n\x1a\n" + bytes(500),
        bytes(5_000),
        b"OggS",
        b"OggS" + bytes(400),
        b"fLaC" + bytes(400),
        b"RIFF\x00\x00\x00\x00WAVE",
        header(channels=0),
        header(rate=0),
    ],
)
def test_what_is_no_sound_is_refused(data: bytes) -> None:
    assert refusal(data) in {"undecodable", "truncated"}


@pytest.mark.parametrize("format", ["OGG", "FLAC", "WAV", "MP3"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_half_a_file_is_truncated(format: str, share: float) -> None:
    data = encoded(np.random.default_rng(0).uniform(-0.3, 0.3, (RATE, 2)), format)
    assert refusal(data[: int(len(data) * share)]) == "truncated"


@pytest.mark.parametrize("format", ["OGG", "FLAC", "WAV"])
def test_every_cut_ends_in_a_refusal(format: str) -> None:
    data = encoded(np.random.default_rng(0).uniform(-0.3, 0.3, 2_000), format)
    for length in range(0, len(data) - 1, 97):
        assert refusal(data[:length]) in {"empty_file", "truncated", "undecodable"}


def test_an_ogg_that_forgot_to_mark_its_last_page_passes() -> None:
    data = bytearray(encoded(sine(0.3), "OGG"))
    last = data.rfind(b"OggS")
    data[last + 5] &= ~4
    data[last + 22 : last + 26] = bytes(4)
    data[last + 22 : last + 26] = struct.pack("<I", ogg_checksum(bytes(data[last:])))
    assert len(decoded(bytes(data)).samples) == len(sine(0.3))


def ogg_checksum(page: bytes) -> int:
    """CRC-32 of RFC 3533: polynomial 0x04c11db7, not reflected, no inversion."""
    remainder = 0
    for byte in page:
        remainder ^= byte << 24
        for _ in range(8):
            remainder = (remainder << 1) ^ (0x104C11DB7 if remainder & 0x80000000 else 0)
    return remainder


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (header(rate=1_000_000_000), "bad_sampling_rate"),
        (header(rate=8), "bad_sampling_rate"),
        (header(channels=64, size=1280, body=1280), "too_many_channels"),
        (header(size=RATE * 2 * 31, body=RATE * 2 * 31), "too_long"),
        (header(size=2**31 - 70_000), "truncated"),
    ],
)
def test_claims_are_checked_first(data: bytes, reason: str) -> None:
    assert refusal(data) == reason


def test_a_streamed_wav_has_no_size_yet_and_passes() -> None:
    assert len(decoded(header(size=2**32 - 1)).samples) == 200


@pytest.mark.parametrize(("total", "reason"), [(0, "unknown_length"), (2**36 - 1, "too_long")])
def test_a_flac_that_claims_days_or_does_not_say(total: int, reason: str) -> None:
    data = bytearray(encoded(sine(0.3), "FLAC"))
    data[21] = data[21] & 0xF0 | total >> 32
    data[22:26] = struct.pack(">I", total & 0xFFFFFFFF)
    assert refusal(bytes(data)) == reason


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    format=st.sampled_from(["OGG", "FLAC", "WAV", "AIFF", "MP3"]),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=5),
)
def test_damage_decodes_or_is_refused_and_raises_nothing_else(
    format: str, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(encoded(sine(0.1), format))
    for place, value in changes:
        data[place % len(data)] = value
    try:
        recording = decoded(bytes(data))
    except Rejected:
        return
    assert recording.samples.ndim == 2
    assert len(recording.samples) <= 30 * recording.sampling_rate
