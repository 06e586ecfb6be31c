from __future__ import annotations

import io
import re
import struct
from contextlib import suppress

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import Rejected
from pipeline.modalities.audio import decode as decode_module
from pipeline.modalities.audio import mpeg
from pipeline.modalities.audio.decode import decode
from pipeline.modalities.audio.recording import Recording

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


@pytest.mark.parametrize("size", [0, 2**32 - 1, 2**31 - 1, 100])
def test_a_wav_whose_size_was_never_written_holds_sound_to_its_end(size: int) -> None:
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 2_000)
    data = encoded(wave, "WAV")
    at = data.index(b"data") + 4
    recording = decoded(data[:at] + struct.pack("<I", size) + data[at + 4 :])
    np.testing.assert_allclose(recording.samples[:, 0], wave, atol=1e-4)


@pytest.mark.parametrize("format", ["RF64", "W64", "AIFF", "AU", "CAF"])
@pytest.mark.parametrize("size", ["none", "unknown", "half"])
def test_a_size_of_any_container_that_was_never_written(format: str, size: str) -> None:
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 2_000)
    data = encoded(wave, format, "PCM_16")
    at, form = {
        "RF64": (28, "<Q"),
        "W64": (data.find(b"data") + 16, "<Q"),
        "AIFF": (data.find(b"SSND") + 4, ">I"),
        "AU": (8, ">I"),
        "CAF": (data.rfind(b"data") + 4, ">Q"),
    }[format]
    field = struct.calcsize(form)
    value = {"none": 0, "unknown": 256**field - 1, "half": 2_000}[size]
    recording = decoded(data[:at] + struct.pack(form, value) + data[at + field :])
    assert len(recording.samples) == pytest.approx(2_000, abs=4)
    np.testing.assert_allclose(recording.samples[:1_900, 0], wave[:1_900], atol=1e-4)


@pytest.mark.parametrize("format", ["WAV", "RF64", "W64", "AIFF", "AU", "CAF"])
def test_half_of_any_container_is_truncated(format: str) -> None:
    data = encoded(np.random.default_rng(0).uniform(-0.5, 0.5, 2_000), format, "PCM_16")
    assert refusal(data[: len(data) // 2]) == "truncated"


@pytest.mark.parametrize("chunk", [b"LIST", b"junk", b"id3 "])
def test_chunks_after_the_sound_are_none_of_it(chunk: bytes) -> None:
    data = encoded(sine(0.3), "WAV", "PCM_16")
    tagged = data + chunk + struct.pack("<I", 4) + b"INFO"
    assert len(decoded(tagged).samples) == len(sine(0.3))
    assert len(decoded(data + b"TAG" + bytes(125)).samples) == len(sine(0.3))


def test_an_odd_chunk_that_was_not_padded() -> None:
    data = encoded(sine(0.3), "WAV", "PCM_16")
    odd = data[:36] + b"LIST" + struct.pack("<I", 7) + b"INFOabc" + data[36:]
    np.testing.assert_array_equal(decoded(odd).samples, decoded(data).samples)


def flac_of_length(total: int) -> bytes:
    """0.3 s, of which the header says `total` samples."""
    data = bytearray(encoded(sine(0.3), "FLAC"))
    data[21] = data[21] & 0xF0 | total >> 32
    data[22:26] = struct.pack(">I", total & 0xFFFFFFFF)
    return bytes(data)


@pytest.mark.parametrize("total", [0, 100])
def test_a_flac_is_read_to_its_end_whatever_it_says(total: int) -> None:
    assert len(decoded(flac_of_length(total)).samples) == len(sine(0.3))


@pytest.mark.parametrize("after", [b"TAG" + bytes(125), bytes(1_000), b"rubbish"])
def test_what_stands_after_a_flac_is_passed_over(after: bytes) -> None:
    data = encoded(sine(0.3), "FLAC")
    np.testing.assert_array_equal(decoded(data + after).samples, decoded(data).samples)


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_flac_that_lacks_a_frame_or_has_one_twice_is_damaged(subtype: str, channels: int) -> None:
    """Each frame matches its own checksum, and silence stands for what is missing."""
    data = encoded(sine(1.5, channels), "FLAC", subtype)
    assert len(decoded(data).samples) == 1.5 * RATE
    first, second, third = [match.start() for match in re.finditer(rb"\xff\xf8", data)][1:4]
    for damaged in (
        data[:first] + data[second:],
        data[:second] + data[first:],
        data[:first] + data[second:third] + data[first:second] + data[third:],
    ):
        assert refusal(damaged) == "damaged"
    silent = data[:26] + bytes(16) + data[42:]  # no checksum
    np.testing.assert_array_equal(decoded(silent).samples, decoded(data).samples)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ULAW"])
@pytest.mark.parametrize("format", ["WAV", "WAVEX"])
def test_a_wav_that_ends_inside_a_sample_is_truncated(format: str, subtype: str) -> None:
    data = encoded(sine(0.3, 2), format, subtype)
    body = data.index(b"data") + 8
    for size in (0, len(data) - body - 1):  # never written, and written after the cut
        cut = data[: body - 4] + struct.pack("<I", size) + data[body:-1]
        assert refusal(cut) == "truncated"
    # A byte that pads, or zeros that a disk left, are no part of a sample.
    padded = data[: body - 4] + struct.pack("<I", len(data) - body + 1) + data[body:] + b"\0"
    np.testing.assert_array_equal(decoded(padded).samples, decoded(data).samples)


def test_an_mp3_louder_than_its_format_can_hold_is_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    assert np.abs(decoded(mp3(1)).samples).max() < decode_module.MP3_PEAK / 4
    monkeypatch.setattr(decode_module, "MP3_PEAK", 0.01)
    assert refusal(mp3(1)) == "damaged"


@pytest.mark.parametrize(
    "format", ["OGG", "FLAC", "WAV", "RF64", "AIFF", "AU", "CAF", "W64", "MP3"]
)
def test_a_file_that_ends_inside_its_header(format: str) -> None:
    data = encoded(sine(0.3), format)
    for count in range(1, 48):
        for beginning in (data[:count], data + data[:count]):
            with suppress(Rejected):
                decoded(beginning)
    assert refusal(data[:47])


def test_a_flac_that_ends_inside_its_header_alone_or_after_another() -> None:
    whole = encoded(sine(0.3), "FLAC")
    for count in range(8, 42):
        assert refusal(whole[:count]) == refusal(whole + whole[:count]) == "truncated"


def test_a_flac_that_claims_more_than_it_holds() -> None:
    assert refusal(flac_of_length(2**36 - 1)) == "too_long"
    assert refusal(flac_of_length(20_000)) == "truncated"


@pytest.mark.parametrize(
    ("format", "subtype", "rate"),
    [
        ("OGG", "VORBIS", RATE),
        ("OGG", "OPUS", 24_000),
        ("FLAC", None, RATE),
        ("WAV", "PCM_16", RATE),
        ("AIFF", "PCM_16", RATE),
        ("AU", "PCM_16", RATE),
        ("CAF", "PCM_16", RATE),
        ("W64", "PCM_16", RATE),
        ("MP3", None, RATE),
    ],
)
def test_joined_files_are_all_read(format: str, subtype: str | None, rate: int) -> None:
    files, samples = [], 0
    for seconds, hertz in ((2, 440), (3, 880)):
        file = io.BytesIO()
        wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(seconds * rate) / rate)
        soundfile.write(file, wave, rate, format=format, subtype=subtype)
        files.append(file.getvalue())
        samples += len(decoded(files[-1]).samples)
    recording = decoded(b"".join(files))
    assert len(recording.samples) == samples
    assert samples / rate == pytest.approx(5, abs=0.17)
    last = np.abs(np.fft.rfft(recording.samples[-rate:, 0]))
    assert last.argmax() == pytest.approx(880, abs=2)


def test_what_changes_its_form_on_the_way_is_named() -> None:
    one, two = encoded(sine(0.3), "OGG"), encoded(sine(0.3, 2), "OGG")
    assert refusal(one + two) == "mixed_formats"
    assert refusal(encoded(sine(0.3), "MP3") + encoded(sine(0.3, 2), "MP3")) == "mixed_formats"


def test_joined_files_are_not_endless() -> None:
    assert refusal(encoded(sine(0.01), "WAV") * 200) == "too_complex"
    assert refusal(encoded(sine(16), "OGG") * 2) == "too_long"


def voice(seconds: float, rate: int = RATE) -> np.ndarray:
    """A voice that rises and falls, so that frames of variable bit rates differ in length."""
    time = np.arange(round(seconds * rate)) / rate
    tones = sum(np.sin(2 * np.pi * 120 * k * time + k) / k for k in range(1, 20))
    return 0.15 * tones * np.sin(np.pi * 1.5 * time) ** 4


def mp3(seconds: float, rate: int = RATE) -> bytes:
    """An MP3 of variable bit rate, with a header."""
    file = io.BytesIO()
    soundfile.write(file, voice(seconds, rate), rate, format="MP3", bitrate_mode="VARIABLE")
    return file.getvalue()


def without_header(data: bytes) -> bytes:
    return data[mpeg._frames(data)[0].length :]


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_an_mp3_of_variable_bit_rate_without_header(rate: int) -> None:
    seconds = len(decoded(without_header(mp3(6.03, rate))).samples) / rate
    # A decoder that knows no header keeps the encoder's delay and padding, 2 to 3 frames.
    assert 6.03 <= seconds < 6.03 + 3 * 1_152 / min(rate, 24_000)


@pytest.mark.parametrize("count", [1, 50, 10_000])
def test_a_wrong_count_in_an_mp3s_header(count: int) -> None:
    data = mp3(6.03)
    at = data.index(b"Xing") + 8
    wrong = data[:at] + struct.pack(">I", count) + data[at + 4 :]
    assert len(decoded(wrong).samples) == len(decoded(without_header(data)).samples)


def test_an_mp3_cut_between_frames_is_known_by_its_header() -> None:
    data = mp3(3)
    frame = mpeg._frames(data)[60]
    assert refusal(data[: frame.start]) == "truncated"


@pytest.mark.parametrize(
    "before", [bytes(3_000), bytes(100_000), b"\x12junk" * 40, b"ID3\4\0\0\0\0\0\x0a" + bytes(10)]
)
def test_what_stands_before_an_mp3_is_passed_over(before: bytes) -> None:
    np.testing.assert_array_equal(decoded(before + mp3(1)).samples, decoded(mp3(1)).samples)


@pytest.mark.parametrize(
    "between", [b"TAG" + bytes(125), b"ID3\4\0\0\0\0\0\x0a" + bytes(10), bytes(500)]
)
def test_tags_between_joined_mp3s(between: bytes) -> None:
    assert len(decoded(mp3(2) + between + mp3(3)).samples) == 5 * RATE


def test_an_mp3_with_rubbish_in_it_is_damaged() -> None:
    assert refusal(mp3(1) + b"rubbish" * 50 + mp3(1)) == "damaged"


@pytest.mark.parametrize("place", [0.3, 0.6, 0.9])
def test_an_ogg_with_changed_bytes_is_damaged(place: float) -> None:
    data = bytearray(encoded(np.random.default_rng(0).uniform(-0.3, 0.3, RATE), "OGG"))
    data[int(len(data) * place)] ^= 0x10
    assert refusal(bytes(data)) == "damaged"


@pytest.mark.parametrize(
    ("format", "subtype"),
    [
        ("WAV", "GSM610"),
        ("AIFF", "GSM610"),
        ("WAV", "G721_32"),
        ("AU", "G721_32"),
        ("AU", "G723_24"),
        ("AU", "G723_40"),
        ("WAV", "NMS_ADPCM_16"),
        ("WAV", "IMA_ADPCM"),
        ("WAV", "ULAW"),
    ],
)
def test_codecs_that_cannot_seek(format: str, subtype: str) -> None:
    file = io.BytesIO()
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8_000) / 8_000)
    soundfile.write(file, wave, 8_000, format=format, subtype=subtype)
    samples = decoded(file.getvalue()).samples[:, 0]
    assert len(samples) == pytest.approx(8_000, abs=512)
    assert np.abs(np.fft.rfft(samples[:8_000])).argmax() == pytest.approx(440, abs=1)


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
