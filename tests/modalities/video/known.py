"""A film of which every picture, tone and word is known, on one time axis.

Each tenth of a second has a grey of its own (`films.numbered`), each second a tone of its own and
a word.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from tests.modalities.video.films import numbered

RATE = 16_000
WORDS = ("zero", "one", "two", "three", "four", "five")


def pitch(second: int) -> int:
    """In Hz, of the tone that is heard in a second."""
    return 400 + 200 * second


def tones(seconds: int, rate: int = RATE) -> np.ndarray:
    """int16 (samples,): a tone a second."""
    time = np.arange(seconds * rate) / rate
    hertz = np.array([pitch(second) for second in range(seconds)])[time.astype(int)]
    return np.round(8000 * np.sin(2 * np.pi * hertz * time)).astype(np.int16)


def subtitles(seconds: int) -> str:
    """SubRip: a word a second, each for just that second."""
    cues = (
        f"{second + 1}\n00:00:0{second},000 --> 00:00:0{second + 1},000\n{WORDS[second]}\n"
        for second in range(seconds)
    )
    return "\n".join(cues)


def film(
    seconds: int, container: str = "matroska", sound: str = "pcm_s16le", words: bool = False
) -> bytes:
    """A file by PyAV; `sound` is its codec, or nothing; `words`: with `subtitles` in it."""
    heard = tones(seconds) if sound else None
    said = WORDS[:seconds] if words else ()
    return written(numbered(10 * seconds), heard, container, sound, said)


def written(
    pictures: Sequence[np.ndarray],
    samples: np.ndarray | None,
    container: str = "matroska",
    sound: str = "pcm_s16le",
    words: Sequence[str] = (),
) -> bytes:
    """Ten pictures a second, sound as int16 (samples,) at RATE, and a word a second."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        track: Any = output.add_stream("libx264", rate=10, options={"g": "5"})
        track.height, track.width = pictures[0].shape[:2]
        track.pix_fmt = "yuv420p"
        heard: Any = output.add_stream(sound, rate=RATE, layout="mono") if sound else None
        if words:
            shown: Any = output.add_stream("subrip")
            shown.codec_context.subtitle_header = b"[Script Info]\n"
        for place, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = place, Fraction(1, 10)
            output.mux(track.encode(frame))
        output.mux(track.encode(None))
        if heard and samples is not None:
            tone = av.AudioFrame.from_ndarray(samples[None], "s16", "mono")
            tone.sample_rate, tone.pts = RATE, 0
            output.mux([*heard.encode(tone), *heard.encode(None)])
        for second, word in enumerate(words):
            packet = av.Packet(word.encode())
            packet.stream, packet.time_base = shown, Fraction(1, 1000)
            packet.pts = packet.dts = 1000 * second
            packet.duration = 1000
            output.mux(packet)
    return file.getvalue()
