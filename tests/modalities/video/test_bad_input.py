"""Whatever is called a film ends in a reject with its reason, or in the pictures that it has."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.core.errors import Rejected
from pipeline.modalities.image.examples import encoded, scene
from pipeline.modalities.video import decode, ffmpeg
from pipeline.modalities.video.clean import Options, clean
from pipeline.modalities.video.content import Clip
from pipeline.modalities.video.examples import animation, film, moving
from tests.modalities.video.films import numbered, numbers

av = pytest.importorskip("av")


@pytest.fixture(scope="module")
def mp4() -> bytes:
    return film(moving(20))


@pytest.fixture(scope="module")
def mkv() -> bytes:
    """Without pictures that others need, so that any block may be changed."""
    return film(numbered(10), "matroska", "libvpx")


def cleaned(data: bytes, **options: Any) -> tuple[Clip, dict[str, Any]]:
    clip, measured = clean(data, "video/mp4", Options(**options))
    return clip, dict(measured)


def reason(data: bytes, **options: Any) -> str:
    with pytest.raises(Rejected) as refused:
        cleaned(data, **options)
    return refused.value.reason


def moov(mp4: bytes) -> int:
    return mp4.rindex(b"moov") - 4


def test_what_is_no_film() -> None:
    assert reason(b"") == "empty_file"
    assert reason(bytes(5000)) == "undecodable"
    assert reason(encoded(scene(), ".png")) == "undecodable"
    assert reason(encoded(scene(), ".jpg")) == "undecodable"


def test_a_claim_of_more_memory_than_any_film_needs(mp4: bytes) -> None:
    count = mp4.index(b"stts") + 8
    assert reason(mp4[:count] + b"\x1f\xff\xff\xff" + mp4[count + 4 :]) == "damaged"


def test_half_a_film(mp4: bytes) -> None:
    assert reason(mp4[:32]) == "truncated"
    assert reason(mp4[: moov(mp4)]) == "truncated"
    assert reason(mp4[: moov(mp4) + 100]) == "truncated"
    # The index first, as for the web, and its pictures cut off.
    first = film(moving(20), options={"g": "5"}, flags={"movflags": "frag_keyframe+empty_moov"})
    assert len(cleaned(first)[0]) == 4
    assert reason(first[: len(first) // 2]) == "truncated"


def test_an_index_without_pictures(mp4: bytes) -> None:
    start = mp4.index(b"mdat") + 4
    assert reason(mp4[:start] + bytes(moov(mp4) - start) + mp4[moov(mp4) :]) == "damaged"


def test_damaged_films_are_kept_on_request(mp4: bytes) -> None:
    middle = mp4.index(b"mdat") + (moov(mp4) - mp4.index(b"mdat")) // 2
    damaged = mp4[:middle] + bytes(60) + mp4[middle + 60 :]
    assert reason(damaged) == "damaged"
    assert 1 <= len(cleaned(damaged, damaged="keep")[0]) <= 4


def test_an_encrypted_film() -> None:
    key = "00112233445566778899aabbccddeeff"
    flags = {
        "encryption_scheme": "cenc-aes-ctr",
        "encryption_key": key,
        "encryption_kid": key,
    }
    assert reason(film(moving(10), flags=flags)) == "damaged"


def test_a_film_without_a_key(mp4: bytes) -> None:
    """What came before its first picture was cut off: all others are changes of that."""
    file = io.BytesIO()
    with av.open(io.BytesIO(mp4)) as whole, av.open(file, "w", format="matroska") as rest:
        track = rest.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(whole.streams.video[0]):
            if packet.size and not packet.is_keyframe:
                packet.stream = track
                rest.mux(packet)
    assert reason(file.getvalue()) == "damaged"


def test_a_packet_that_theora_gives_up() -> None:
    """Its decoder says -1 of it, which FFmpeg takes for a missing permission."""

    class Packet:
        def decode(self) -> None:
            raise av.error.PermissionError(1, "Operation not permitted")

    assert list(decode._of_packet(Packet(), lambda time: time, keep_damaged=True)) == []
    with pytest.raises(Rejected, match="damaged"), ffmpeg.reading():
        list(decode._of_packet(Packet(), lambda time: time, keep_damaged=False))


def test_sound_alone() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        sound = output.add_stream("aac", rate=8000, layout="mono")
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        tone.sample_rate = 8000
        output.mux([*sound.encode(tone), *sound.encode(None)])
    assert reason(file.getvalue()) == "no_video"


def test_one_pixel() -> None:
    dot = np.full((1, 1, 3), 200, np.uint8)
    assert reason(animation(".gif", [dot, dot])) == "too_small"
    assert len(cleaned(animation(".gif", [dot, dot]), min_side=1)[0]) == 1


@pytest.mark.parametrize("side", [20_000, 65_535])
def test_huge_sizes_are_claimed(side: int) -> None:
    size = side.to_bytes(2, "little")
    gif = animation(".gif", moving(3))
    assert reason(gif[:6] + size + size + gif[10:]) in ("too_many_pixels", "damaged")
    webp = animation(".webp", moving(3))
    canvas = (side - 1).to_bytes(3, "little")
    assert reason(webp[:24] + canvas + canvas + webp[30:]) in ("too_many_pixels", "damaged")
    avi = film(moving(3), "avi", "mpeg4")
    at = avi.index(b"strf") + 12
    claimed = side.to_bytes(4, "little")
    # The stream says it again, and decoders believe that.
    assert cleaned(avi[:at] + claimed + claimed + avi[at + 8 :])[1]["width"] == 64


def test_a_huge_size_in_the_stream(mkv: bytes) -> None:
    """14 bits a side, after the start code of a key picture (RFC 6386, 9.1)."""
    at = mkv.index(b"\x9d\x01\x2a") + 3
    assert reason(mkv[:at] + b"\xff\x3f\xff\x3f" + mkv[at + 4 :]) in ("too_many_pixels", "damaged")


def test_more_pixels_than_are_accepted(mp4: bytes) -> None:
    assert reason(mp4, max_pixels=64 * 48 - 1) == "too_many_pixels"
    assert cleaned(mp4, max_pixels=64 * 48)


def test_a_thousand_pictures_a_second() -> None:
    data = film(numbered(600), "matroska", "libvpx", list(range(600)))
    assert reason(data) == "too_fast"
    clip, measured = cleaned(data, max_rate=1000, every_ms=100)
    assert numbers(clip) == [number % 32 for number in range(0, 600, 100)]
    assert measured["rate"] == pytest.approx(1000, rel=0.01)


def test_a_picture_in_a_hundred_seconds() -> None:
    """Of which the last is shown for a moment."""
    data = film(numbered(4), "matroska", "libvpx", [0, 100_000, 200_000, 300_000])
    clip, measured = cleaned(data)
    assert clip.times == (0, 100_000, 200_000)
    assert measured["rate"] == pytest.approx(4 / 300, rel=0.01)


def test_ten_hours() -> None:
    hours = 36_000_000
    black = [np.zeros((32, 48, 3), np.uint8)] * 3
    data = film(black, "matroska", "libvpx", [0, hours // 2, hours])
    assert reason(data) == "too_long"
    assert reason(data, max_seconds=50_000) == "black"
    clip, measured = cleaned(data, max_seconds=50_000, max_black=1, max_frames=10)
    assert (measured["black"], measured["frozen"]) == (1, 1)
    assert clip.times == (0, hours // 2)


def test_ten_hours_are_claimed(mkv: bytes) -> None:
    """Pictures say how long they are shown."""
    at = mkv.index(b"\x44\x89\x88") + 3
    claim = np.array([3.6e7], ">f8").tobytes()
    assert cleaned(mkv[:at] + claim + mkv[at + 8 :])[1]["duration"] == pytest.approx(1)


def test_ten_hours_are_claimed_by_a_track(mp4: bytes) -> None:
    at = mp4.index(b"mdhd") + 20
    claimed = mp4[:at] + (36_000 * 10_240).to_bytes(4, "big") + mp4[at + 4 :]
    assert cleaned(claimed)[1]["duration"] == pytest.approx(2)


def blocks(mkv: bytes) -> list[int]:
    """Where the times of the SimpleBlocks of a small film stand: after their size and track 1."""
    start = mkv.index(b"\x1f\x43\xb6\x75")
    places = re.finditer(rb"\xa3([\x80-\xff]|[\x40-\x7f].)\x81", mkv[start:], re.DOTALL)
    return [start + place.end() for place in places]


def at_times(mkv: bytes, times: list[int]) -> bytes:
    data = bytearray(mkv)
    for place, time in zip(blocks(mkv), times, strict=True):
        data[place : place + 2] = time.to_bytes(2, "big", signed=True)
    return bytes(data)


def test_a_time_that_repeats_or_goes_back(mkv: bytes) -> None:
    times = [0, 100, 200, 300, 300, 500, 450, 700, 800, 900]
    clip, _ = cleaned(at_times(mkv, times), every_ms=10, max_frames=500)
    assert clip.times == (0, 100, 200, 300, 500, 700, 800, 900)
    assert numbers(clip) == [0, 1, 2, 3, 5, 7, 8, 9]


def test_times_that_begin_anew() -> None:
    data = film(numbered(40), "matroska", "libvpx")
    times = [100 * (place % 20) for place in range(40)]
    assert reason(at_times(data, times)) == "misplaced"


def test_black_and_frozen_are_measured() -> None:
    black = np.zeros((32, 48, 3), np.uint8)
    pictures = [*[black] * 5, *moving(10, 32, 48), *[moving(1, 32, 48)[0]] * 5]
    _, measured = cleaned(film(pictures), every_ms=100)
    assert measured["black"] == pytest.approx(5 / 20)
    assert measured["frozen"] == pytest.approx(8 / 19, abs=1 / 19)
    assert reason(film(pictures), every_ms=100, max_frozen=0.2) == "frozen"
    assert reason(film(pictures), every_ms=100, max_black=0.2) == "black"


def test_too_elongated_or_short() -> None:
    assert reason(film(numbered(3, 16, 480))) == "too_elongated"
    assert reason(film(numbered(3)), min_seconds=1) == "too_short"


PLAYLISTS = {
    "m3u8": ("hls", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n"),
    "concat": ("concat", "ffconcat version 1.0\nfile '{}'\n"),
    "mpd": (
        "dash",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT2S"><Period><AdaptationSet mimeType="video/mp4">'
        '<Representation id="1" bandwidth="9"><BaseURL>{}</BaseURL></Representation>'
        "</AdaptationSet></Period></MPD>",
    ),
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_is_no_film_and_opens_nothing(name: str, tmp_path: Path, mp4: bytes) -> None:
    (tmp_path / "film.mp4").write_bytes(mp4)
    kind, words = PLAYLISTS[name]
    for place in (tmp_path / "film.mp4", f"file:{tmp_path}/film.mp4", "http://127.0.0.1:9/a.mp4"):
        data = words.format(place).encode()
        assert reason(data) == "undecodable"
        # Even its own parser, were it asked, would get nothing.
        with pytest.raises((Rejected, av.error.FFmpegError)):
            ffmpeg.open_file(data, kind, 1000)


def test_a_film_whose_pictures_lie_elsewhere(
    tmp_path: Path, mp4: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reference to another file (ISO 14496-12, 8.7.2), which QuickTime would follow."""
    monkeypatch.chdir(tmp_path)
    Path("film.mp4").write_bytes(mp4)
    place = b"\0\0\0\x0curl \0\0\0\x01"
    other = f"file:{tmp_path}/film.mp4".encode() + b"\0"
    entry = (12 + len(other)).to_bytes(4, "big") + b"url \0\0\0\0" + other
    data = mp4[moov(mp4) :]
    for name in (b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"):
        at = data.index(name) - 4
        size = int.from_bytes(data[at : at + 4], "big") + len(entry) - len(place)
        data = data[:at] + size.to_bytes(4, "big") + data[at + 4 :]
    linked = mp4[:32] + data.replace(place, entry)
    assert reason(linked) in ("damaged", "truncated", "no_video")
