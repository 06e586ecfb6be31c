from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pipeline.core import once_a_file
from pipeline.core.errors import PipelineError
from pipeline.core.spans import Span
from pipeline.modalities import cleaning_of
from pipeline.modalities.video import decode, ffmpeg, survey
from pipeline.modalities.video.clean import Options, clean, parameters
from pipeline.modalities.video.container import kind_of
from pipeline.modalities.video.content import Clip
from pipeline.modalities.video.examples import animation, film, moving
from pipeline.modalities.video.segments import LIMITS
from pipeline.modalities.video.tracks import take
from tests.modalities.video.films import edited, numbered, numbers, turned, with_sound

av = pytest.importorskip("av")

# Uneven, as a phone writes them.
TIMES = [0, 40, 90, 300, 310, 700, 705, 1500]
UNEVEN = [
    ("mp4", "libx264"),
    ("mov", "libx264"),
    ("matroska", "libx264"),
    ("mpegts", "libx264"),
    ("mp4", "libx265"),
    ("webm", "libvpx"),
    ("webm", "libvpx-vp9"),
]
EVEN = [
    ("avi", "mpeg4"),
    ("mpeg", "mpeg2video"),
    ("ogg", "libvpx"),
    ("mp4", "mpeg4"),
    ("mp4", "libsvtav1"),  # which aborts under 64 by 64 pixels
]
# x265 writes outside its memory where cutree meets pictures as small as these.
QUIET = {"libx265": {"x265-params": "log-level=none:cutree=0"}}


def cleaned(data: bytes, **options: Any) -> tuple[Clip, dict[str, Any]]:
    clip, measured = clean(data, "", Options(**options))
    return clip, dict(measured)


@pytest.mark.parametrize(("container", "codec"), UNEVEN)
def test_pictures_stand_where_they_are_seen(container: str, codec: str) -> None:
    data = film(numbered(8, 64, 64), container, codec, TIMES, QUIET.get(codec))
    clip, measured = cleaned(data, every_ms=5, max_frames=1000)
    assert numbers(clip) == list(range(8))
    assert np.abs(np.subtract(clip.times, TIMES)).max() <= 1
    assert measured["rate"] == pytest.approx(8 / measured["duration"])


@pytest.mark.parametrize(("container", "codec"), EVEN)
def test_pictures_at_an_even_rate(container: str, codec: str) -> None:
    # MPEG-2 has no rate of ten a second.
    options = {"strict": "unofficial"} if codec == "mpeg2video" else {}
    data = film(numbered(20, 64, 64), container, codec, options=options)
    clip, measured = cleaned(data, every_ms=100)
    assert numbers(clip) == list(range(20))
    assert clip.times == tuple(range(0, 2000, 100))
    assert measured["duration"] == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_animated_pictures(ending: str) -> None:
    clip, _ = cleaned(animation(ending, numbered(8), 150), every_ms=10, max_frames=200)
    assert numbers(clip) == list(range(8))
    assert clip.times == tuple(range(0, 1200, 150))
    assert clip.duration == 1200


def test_a_picture_is_shown_until_the_next() -> None:
    data = film(numbered(8), "matroska", "libx264", TIMES)
    clip, _ = cleaned(data, every_ms=350)
    # At 0, 350, 700, 1050 and 1400 ms; what is shown at two of them is taken once.
    assert [TIMES[number] for number in numbers(clip)] == [0, 310, 700, 705]
    assert clip.times == (0, 310, 700, 705)


@pytest.mark.parametrize("every_ms", [None, 10])
def test_long_films_are_looked_at_evenly(every_ms: int | None) -> None:
    clip, _ = cleaned(film(numbered(30)), every_ms=every_ms, max_frames=3)
    assert clip.times == (500, 1500, 2500)


@pytest.mark.parametrize(
    ("container", "codec", "options"),
    [
        ("mp4", "libx264", {"g": "12", "bf": "3", "x264-params": "scenecut=0"}),
        ("mpegts", "libx264", {"g": "12", "bf": "3", "x264-params": "scenecut=0"}),
        ("matroska", "libx265", {"x265-params": "log-level=none:cutree=0:keyint=12:open-gop=1"}),
        ("webm", "libvpx-vp9", {"g": "12", "auto-alt-ref": "1", "lag-in-frames": "9"}),
        ("mpegts", "mpeg2video", {"g": "12", "bf": "2", "strict": "unofficial"}),
        ("mp4", "libsvtav1", {"g": "12"}),
    ],
)
def test_what_is_not_wanted_is_not_decoded(
    container: str, codec: str, options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With pictures that are stored after the key that they are shown before."""
    data = film(moving(96, 64, 64), container, codec, options=options)
    read = 0

    def counted(*arguments: Any) -> Any:
        nonlocal read
        read += 1
        return of_packet(*arguments)

    of_packet = decode._of_packet
    monkeypatch.setattr(decode, "_of_packet", counted)
    few, measured = cleaned(data, every_ms=None, max_frames=3)
    assert 3 <= read < 60
    monkeypatch.setattr(once_a_file, "_results", {})
    monkeypatch.setattr(survey, "RANDOM_ACCESS", frozenset())
    read = 0
    assert cleaned(data, every_ms=None, max_frames=3) == (few, measured)
    assert read > 80


@pytest.mark.parametrize(
    ("container", "codec", "options"),
    [
        ("mp4", "libx264", {"bf": "7", "x264-params": "b-pyramid=normal:scenecut=0"}),
        ("mpegts", "libx264", {"bf": "3", "flags": "+ildct+ilme"}),
        ("mpegts", "mpeg2video", {"bf": "2", "g": "96"}),
        ("mpegts", "mpeg2video", {"bf": "2", "g": "96", "flags": "+ildct+ilme"}),
    ],
)
def test_what_no_other_picture_needs_is_not_decoded(
    container: str, codec: str, options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = film(moving(96, 64, 64), container, codec, options=options)
    decoded = 0

    def counted(*arguments: Any) -> Any:
        nonlocal decoded
        for picture in of_packet(*arguments):
            decoded += 1
            yield picture

    of_packet = decode._of_packet
    monkeypatch.setattr(decode, "_of_packet", counted)
    few, measured = cleaned(data, every_ms=1700)
    assert len(few) == 6
    assert decoded < 75
    monkeypatch.setattr(once_a_file, "_results", {})
    monkeypatch.setattr(survey, "DISPOSABLE", frozenset())
    decoded = 0
    assert cleaned(data, every_ms=1700) == (few, measured)
    assert decoded > 85


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts"])
def test_a_key_that_refers_to_what_stands_before_it_is_none(container: str) -> None:
    """In H.264 a film may be marked as one can tune in to it, and not decoded from there."""
    options = {"g": "12", "bf": "3", "x264-params": "open-gop=1:scenecut=0"}
    data = film(moving(48, 64, 64), container, "libx264", options=options)
    kind = kind_of(data)
    with ffmpeg.open_file(data, kind, 1 << 20) as file:
        marked = sum(packet.is_keyframe for packet in file.demux(file.streams.video[0]))
    surveyed, _ = survey.look_through(data, kind, LIMITS)
    assert (marked, len(surveyed.keys)) == (4, 1)


def test_pictures_and_sound_have_one_beginning() -> None:
    data = with_sound(numbered(4), [500, 700, 900, 1100], "matroska")
    assert cleaned(data, every_ms=10, max_frames=500)[0].times == (500, 700, 900, 1100)


def test_without_sound_the_first_picture_is_the_beginning() -> None:
    data = film(numbered(4), "matroska", "libx264", [500, 700, 900, 1100])
    assert cleaned(data, every_ms=10, max_frames=500)[0].times == (0, 200, 400, 600)


def test_an_edit_list_says_what_is_shown() -> None:
    data = film(numbered(20), "mp4", "libx264", options={"bf": "0"}, flags={"use_editlist": "1"})
    base = 10_240  # of the track, a second
    clip, measured = cleaned(edited(data, base // 2, 1000), every_ms=100)
    assert numbers(clip) == list(range(5, 15))
    assert clip.times == tuple(range(0, 1000, 100))
    assert measured["duration"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("matrix", "corner"),
    [
        ((1, 0, 0, 1), (0, 0)),
        ((0, 1, -1, 0), (0, -1)),
        ((-1, 0, 0, -1), (-1, -1)),
        ((0, -1, 1, 0), (-1, 0)),
    ],
)
def test_pictures_are_upright(matrix: tuple[int, ...], corner: tuple[int, int]) -> None:
    """The matrix maps (x, y) to (ax + cy, bx + dy): the upper left corner goes where it says."""
    picture = np.full((32, 64, 3), 40, np.uint8)
    picture[:12, :12] = 230
    clip, measured = cleaned(turned(film([picture] * 3), matrix))
    image = next(clip.images())
    assert image.shape[:2] == ((32, 64) if matrix[0] else (64, 32))
    assert (measured["height"], measured["width"]) == image.shape[:2]
    size = image.shape[0] - 1, image.shape[1] - 1
    row, column = (place % (end + 1) for place, end in zip(corner, size, strict=True))
    assert image[row, column].mean() > 200
    assert image[size[0] - row, size[1] - column].mean() < 60


def test_pixels_that_are_not_square() -> None:
    data = film(numbered(3, 64, 64), "mpegts", "libx264", options={"aspect": "2"})
    clip, measured = cleaned(data, max_side=100)
    assert (measured["width"], measured["height"]) == (128, 64)
    assert next(clip.images()).shape == (50, 100, 3)


def test_one_field_of_interlaced_pictures_is_taken() -> None:
    """The other one, which is shown later, has other pictures."""
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[::2] = 200
    options = {"flags": "+ilme+ildct", "strict": "unofficial", "qmax": "2"}
    clip, _ = cleaned(film([picture] * 4, "mpegts", "mpeg2video", options=options))
    image = next(clip.images())
    assert image.shape == (64, 64, 3)
    assert image.min() > 180


def test_theora() -> None:
    """As libtheora 1.1 encodes it: FFmpeg has no encoder."""
    data = Path(__file__).with_name("numbered.ogv").read_bytes()
    clip, measured = cleaned(data, every_ms=100)
    assert measured["codec"] == "theora"
    assert numbers(clip) == list(range(20))
    assert clip.times == tuple(range(0, 2000, 100))


def test_a_clip_as_phones_make_them() -> None:
    """Uneven times, a turned sensor, and sound."""
    times = [0, 33, 67, 133, 400, 433, 467, 1500]
    data = turned(with_sound(numbered(8), times, "mov"), (0, 1, -1, 0))
    clip, measured = cleaned(data, every_ms=1, max_frames=3000)
    assert clip.times == tuple(times)
    assert numbers(clip) == list(range(8))
    assert (measured["width"], measured["height"]) == (32, 48)
    wav, _ = take(data, "audio", Span(500, 1500), cleaning_of("audio").Options())
    assert len(soundfile.read(io.BytesIO(wav))[0]) == 8000


def test_a_recording_of_a_screen() -> None:
    """Pictures come when something changes, and stand for a minute."""
    times = [0, 4000, 4040, 65_000, 65_500]
    data = film(numbered(5), "webm", "libvpx-vp9", times)
    clip, measured = cleaned(data, every_ms=20, max_frames=5000)
    assert clip.times == tuple(times)
    assert numbers(clip) == list(range(5))
    assert measured["duration"] > 65.5


@pytest.mark.parametrize("colour", [(220, 30, 40), (20, 200, 60), (40, 40, 210), (128, 128, 128)])
def test_colours(colour: tuple[int, int, int]) -> None:
    picture = np.full((32, 32, 3), colour, np.uint8)
    image = next(cleaned(film([picture] * 2))[0].images())
    assert np.abs(image.astype(int) - colour).max() <= 6


def test_all_pictures_have_the_size_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """MPEG may change its size on the way: two streams, one after the other."""
    options = {"strict": "unofficial"}
    first, second = (
        film(moving(10, side, side), "mpeg2video", "mpeg2video", options=options)
        for side in (64, 96)
    )
    clip, _ = cleaned(first + second, every_ms=100, max_frames=100)
    assert {image.shape for image in clip.images()} == {(64, 64, 3)}


def test_processors_do_not_show() -> None:
    """Without any instructions but the plainest the pixels are the same."""
    films = [
        film(moving(6, 64, 64), container, codec, options=QUIET.get(codec))
        for container, codec in [*UNEVEN[3:], EVEN[0], EVEN[-1]]
    ]
    utilities = ffmpeg._utilities()
    held = utilities.av_get_cpu_flags()
    if ffmpeg.build()["cpu_flags"] != hex(ffmpeg.AVX2):
        pytest.skip("this processor is not held to AVX2")
    fast = [cleaned(data)[0] for data in films]
    utilities.av_force_cpu_flags(0)
    try:
        assert [cleaned(data)[0] for data in films] == fast
    finally:
        utilities.av_force_cpu_flags(held)


def test_how_ffmpeg_was_built_is_keyed() -> None:
    keyed = parameters(Options())
    assert keyed["ffmpeg"] == av.ffmpeg_version_info
    assert keyed["cpu_flags"].startswith("0x")
    assert keyed["every_ms"] == 500


def test_without_the_library_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    ffmpeg.library.cache_clear()
    try:
        with pytest.raises(PipelineError, match=r"pip install 'multimodal-pipeline\[video\]'"):
            ffmpeg.library()
    finally:
        ffmpeg.library.cache_clear()
