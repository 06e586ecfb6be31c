from __future__ import annotations

import io
import sys

import numpy as np
import pytest

from pipeline.core.errors import PipelineError, Rejected
from pipeline.modalities.audio.decode import decode
from pipeline.modalities.audio.recording import Recording

av = pytest.importorskip("av")

KINDS = [
    ("mp4", "aac", 22_050, 1),
    ("mp4", "aac", 44_100, 2),
    ("adts", "aac", 22_050, 1),
    ("asf", "wmav2", 44_100, 1),
]


def encoded(container: str, codec: str, rate: int, channels: int, seconds: float = 2.0) -> bytes:
    """A tone of 440 Hz."""
    file = io.BytesIO()
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
    with av.open(file, "w", format=container) as output:
        track = output.add_stream(codec, rate=rate, layout="mono" if channels == 1 else "stereo")
        track.bit_rate = 96_000
        samples = np.repeat(wave.astype(np.float32)[None], channels, axis=0)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=track.layout.name)
        frame.sample_rate = rate
        for packet in [*track.encode(frame), *track.encode(None)]:
            output.mux(packet)
    return file.getvalue()


def decoded(data: bytes) -> Recording:
    return decode(data, max_seconds=30, max_channels=8)


def reason(data: bytes) -> str:
    with pytest.raises(Rejected) as refused:
        decoded(data)
    return refused.value.reason


@pytest.mark.parametrize(("container", "codec", "rate", "channels"), KINDS)
def test_length_and_pitch(container: str, codec: str, rate: int, channels: int) -> None:
    recording = decoded(encoded(container, codec, rate, channels))
    assert (recording.sampling_rate, recording.samples.shape[1]) == (rate, channels)
    assert recording.samples.dtype == np.float32
    assert len(recording.samples) / rate == pytest.approx(2, abs=0.25)
    middle = recording.samples[rate // 2 : rate // 2 + rate, 0]
    assert np.abs(np.fft.rfft(middle)).argmax() == 440
    assert np.abs(middle).max() == pytest.approx(0.5, abs=0.05)


def test_a_claim_of_more_memory_than_any_sound_needs() -> None:
    data = encoded("mp4", "aac", 22_050, 1)
    count = data.index(b"stts") + 8
    assert reason(data[:count] + b"\x1f\xff\xff\xff" + data[count + 4 :]) == "damaged"


@pytest.mark.parametrize(("container", "codec", "rate", "channels"), KINDS)
def test_too_long(container: str, codec: str, rate: int, channels: int) -> None:
    assert reason(encoded(container, codec, rate, channels, seconds=31)) == "too_long"


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize(
    ("container", "codec"), [("mp4", "aac"), ("adts", "aac"), ("asf", "wmav2")]
)
def test_half_a_file_is_refused(container: str, codec: str, share: float) -> None:
    data = encoded(container, codec, 44_100, 1)
    assert reason(data[: int(len(data) * share)]) in ("truncated", "damaged")


@pytest.mark.parametrize(
    "data",
    [b"\0\0\0\x18ftypM4A " + bytes(200), b"#!AMR\n", b"\xff\xf1\x50\x80" + bytes(100)],
)
def test_a_head_alone_is_refused(data: bytes) -> None:
    assert reason(data) in ("truncated", "damaged", "no_sound", "bad_sampling_rate")


def test_amr() -> None:
    """Ten frames of 20 ms of silence at 12.2 kbit/s (RFC 4867, section 5)."""
    data = b"#!AMR\n" + (b"\x3c" + bytes(31)) * 10
    assert len(decoded(data).samples) == 1600
    assert reason(data[:-5]) == "truncated"


def test_without_the_library_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(PipelineError, match=r"pip install 'multimodal-pipeline\[ffmpeg\]'"):
        decoded(b"#!AMR\n")
