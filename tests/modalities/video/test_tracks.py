"""The sound, picture and words of a film's span are those of that time, to the sample."""

from __future__ import annotations

import io
import re
from fractions import Fraction
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest
import soundfile

from pipeline.core import once_a_file
from pipeline.core.errors import Rejected
from pipeline.core.spans import MEDIA_TYPE, Span, join
from pipeline.modalities import cleaning_of
from pipeline.modalities.video import clean, survey, tracks
from pipeline.modalities.video.examples import film, moving
from pipeline.modalities.video.tracks import take
from tests.modalities.video import known
from tests.modalities.video.films import DARKEST, STEP, numbers

av = pytest.importorskip("av")
SECONDS = 3


@pytest.fixture(scope="module")
def mkv() -> bytes:
    return known.film(SECONDS, words=True)


def sound(data: bytes, span: Span | None = None, **options: Any) -> np.ndarray:
    wav, _ = take(data, "audio", span, cleaning_of("audio").Options(**options))
    samples: np.ndarray = soundfile.read(io.BytesIO(wav), dtype="float32")[0]
    return samples


def picture(data: bytes, span: Span | None = None) -> int:
    """The number of the picture."""
    png, _ = take(data, "image", span, cleaning_of("image").Options())
    grey = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE).mean()
    return round((float(grey) - DARKEST) / STEP)


def pictures(data: bytes, span: Span) -> tuple[list[int], tuple[int, ...], int]:
    media_type = join("video/x-matroska", MEDIA_TYPE, span)
    clip, _ = clean.clean(data, media_type, clean.Options(every_ms=50, max_frozen=1))
    return numbers(clip), clip.times, clip.duration


def words(data: bytes, span: Span | None = None) -> str:
    return take(data, "text", span, cleaning_of("text").Options())[0].decode()


def reason(data: bytes, modality: str, span: Span | None = None, **options: Any) -> str:
    with pytest.raises(Rejected) as refused:
        take(data, modality, span, cleaning_of(modality).Options(**options))
    return refused.value.reason


def test_windows_part_a_film_without_gap_or_overlap(mkv: bytes) -> None:
    cuts = [0, 33, 1000, 1700, 2001, 3000]
    windows = [Span(*pair) for pair in pairwise(cuts)]
    heard = np.concatenate([sound(mkv, window) for window in windows])
    assert np.array_equal(heard * 32768, known.tones(SECONDS))
    assert np.array_equal(sound(mkv), heard)


def test_a_window_has_the_pictures_that_are_seen_in_it(mkv: bytes) -> None:
    assert pictures(mkv, Span(1000, 1300)) == ([10, 11, 12], (0, 100, 200), 300)
    # One that is seen already, and one that is seen no longer than into the window's end.
    assert pictures(mkv, Span(1050, 1201)) == ([10, 11, 12], (0, 50, 150), 151)
    assert pictures(mkv, Span(2900, 9000)) == ([29], (0,), 100)
    assert picture(mkv, Span(1000, 1300)) == 11
    assert picture(mkv) == 15


def test_a_window_has_the_words_that_are_said_in_it(mkv: bytes) -> None:
    assert words(mkv) == "zero\none\ntwo"
    assert words(mkv, Span(1000, 2000)) == "one"
    assert words(mkv, Span(999, 2001)) == "zero\none\ntwo"


@pytest.mark.parametrize(
    ("container", "codec"), [("mp4", "aac"), ("matroska", "libopus"), ("mpegts", "mp2")]
)
def test_compressed_sound_lies_where_it_was(container: str, codec: str) -> None:
    """The tone changes at each whole second, and there only."""
    data = known.film(SECONDS, container, codec)
    for second in range(SECONDS):
        heard = sound(data, Span(1000 * second + 50, 1000 * second + 950))
        rate = round(len(heard) / 0.9)
        peak = int(np.abs(np.fft.rfft(heard)).argmax()) * rate / len(heard)
        assert abs(peak - known.pitch(second)) < 3


LED = [
    *(("mp4", codec) for codec in ("aac", "ac3", "libmp3lame", "libopus")),
    *(("mov", codec) for codec in ("alac", "pcm_s16le")),
    *(("matroska", codec) for codec in ("aac", "ac3", "flac", "libmp3lame", "pcm_s16le")),
    *(("webm", codec) for codec in ("libopus", "vorbis")),
]


@pytest.mark.parametrize(("container", "codec"), LED)
def test_sound_to_which_a_file_leads_is_what_is_read_from_its_start(
    container: str, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = long_sound(container, codec)
    packets = looked_at(monkeypatch)
    for span in (Span(0, 300), Span(1300, 1400), Span(2500, 2900), Span(3900, 9000)):
        whole = tracks._sound(data, span, 10, 2, from_start=True)
        from_start = len(packets)
        led = tracks._sound(data, span, 10, 2)
        assert np.array_equal(led.samples, whole.samples)
        assert whole.samples.any()
        after_lead = len(packets) - from_start
        packets.clear()
    assert after_lead < from_start / 2


def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The packets of sound that are looked at from now on."""
    seen: list[Any] = []
    blocks = tracks._blocks

    class Counting:
        def __init__(self, file: Any) -> None:
            self._file = file

        def demux(self, track: Any) -> Any:
            for packet in self._file.demux(track):
                seen.append(packet)
                yield packet

    monkeypatch.setattr(tracks, "_blocks", lambda file, *of: blocks(Counting(file), *of))
    return seen


def test_an_index_that_leads_astray_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of Matroska's (RFC 9559, 5.1.5), of the sound, by which all clusters but the first lie
    where the last one does.
    """
    data = long_sound("matroska", "pcm_s16le")
    cues = data.rindex(b"\x1c\x53\xbb\x6b")
    position = re.compile(rb"(?<=\xf1\x83).{3}", re.DOTALL)
    last = position.findall(data, cues)[-1]
    of_sound = data[cues:].replace(b"\xf7\x81\x01", b"\xf7\x81\x02")
    wrong = data[:cues] + position.sub(last, of_sound)
    led = []
    look = tracks._led_before
    monkeypatch.setattr(tracks, "_led_before", lambda *of: led.append(look(*of)) or led[-1])
    heard = [tracks._sound(each, Span(2500, 2900), 10, 2).samples for each in (data, wrong)]
    assert led == [True, False]
    assert np.array_equal(*heard)


def long_sound(container: str, codec: str) -> bytes:
    """Four seconds of a rising tone in noise, in stereo, beside small pictures."""
    time = np.arange(4 * 48_000) / 48_000
    noise = np.random.default_rng(0).normal(0, 500, (2, len(time)))
    tone = 8000 * np.sin(2 * np.pi * (300 + 40 * time) * time) + noise
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        encoder, quick = ("libvpx", "deadline") if container == "webm" else ("libx264", "preset")
        options = {"g": "10", quick: "realtime" if quick == "deadline" else "ultrafast"}
        track: Any = output.add_stream(encoder, rate=10, options=options)
        track.height, track.width, track.pix_fmt = 48, 64, "yuv420p"
        heard: Any = output.add_stream(
            codec, rate=48_000, layout="stereo", options={"strict": "experimental"}
        )
        packets: list[Any] = []
        for place, image in enumerate(moving(40)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = place, Fraction(1, 10)
            packets += track.encode(frame)
        for start in range(0, len(time), 1000):
            samples = np.ascontiguousarray(tone[:, start : start + 1000].T.astype(np.int16))
            sound = av.AudioFrame.from_ndarray(samples.reshape(1, -1), "s16", "stereo")
            sound.sample_rate, sound.pts = 48_000, start
            packets += heard.encode(sound)
        packets += [*track.encode(None), *heard.encode(None)]
        output.mux(sorted(packets, key=lambda packet: float(packet.dts * packet.time_base)))
    return file.getvalue()


def test_sound_that_begins_late_begins_with_silence() -> None:
    data = late(1000)
    heard = sound(data, Span(500, 1500))
    assert len(heard) == 8000
    assert not heard[:4000].any()
    assert heard[4000:].all()
    assert reason(data, "audio", Span(0, 900)) == "absent"


def late(ms: int) -> bytes:
    """A film of two seconds whose sound, at 8 kHz, begins so late."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as output:
        track = output.add_stream("libx264", rate=10)
        track.height, track.width, track.pix_fmt = 48, 64, "yuv420p"
        heard = output.add_stream("pcm_s16le", rate=8000, layout="mono")
        for place, image in enumerate(moving(20)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = place, Fraction(1, 10)
            output.mux(track.encode(frame))
        output.mux(track.encode(None))
        tone = av.AudioFrame.from_ndarray(np.full((1, 8000), 1000, np.int16), "s16", "mono")
        tone.sample_rate, tone.pts, tone.time_base = 8000, 8 * ms, Fraction(1, 8000)
        output.mux([*heard.encode(tone), *heard.encode(None)])
    return file.getvalue()


def test_what_a_film_lacks_is_absent_and_what_is_wrong_is_told(mkv: bytes) -> None:
    silent = film(moving(10))
    assert reason(silent, "audio") == reason(silent, "text") == "absent"
    assert reason(mkv, "image", Span(3000, 4000)) == "outside"
    assert reason(mkv, "audio", Span(3000, 4000)) == "absent"
    assert reason(mkv, "audio", max_seconds=2) == "too_long"
    for modality in ("audio", "image", "text"):
        assert reason(silent[:40], modality) == "truncated"
        assert reason(b"#EXTM3U\na.mp4\n", modality) == "undecodable"


def test_all_spans_look_through_a_film_once(monkeypatch: pytest.MonkeyPatch, mkv: bytes) -> None:
    monkeypatch.setattr(once_a_file, "_results", {})
    looks = []
    look = survey._survey
    monkeypatch.setattr(survey, "_survey", lambda *of: looks.append(of) or look(*of))
    for second in range(SECONDS):
        span = Span(1000 * second, 1000 * second + 1000)
        assert len(sound(mkv, span)) == known.RATE
        assert words(bytes(bytearray(mkv)), span) == known.WORDS[second]
    assert len(looks) == 1


def test_a_film_without_pictures_has_its_sound() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as output:
        heard = output.add_stream("pcm_s16le", rate=known.RATE, layout="mono")
        tone = av.AudioFrame.from_ndarray(known.tones(2)[None], "s16", "mono")
        tone.sample_rate = known.RATE
        output.mux([*heard.encode(tone), *heard.encode(None)])
    expected = known.tones(2)[known.RATE :]
    assert np.array_equal(sound(file.getvalue(), Span(1000, 2000)) * 32768, expected)
    assert reason(file.getvalue(), "image") == "no_video"
