"""Films for the tests that hold for all modalities and encoders."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from pipeline.modalities.image.opencv import cv2
from pipeline.modalities.video.content import Clip, to_jpeg

TELLS_DAMAGE = True
# Container and codec of each kind of file.
WRITTEN = {
    "video/mp4": ("mp4", "libx264"),
    "video/x-msvideo": ("avi", "mpeg4"),
    "video/webm": ("webm", "libvpx-vp9"),
}


def files() -> dict[str, bytes]:
    """Where PyAV, an extra, is not installed, only what is read without it."""
    pictures = moving(6)
    films = {"image/webp": animation(".webp", pictures)}
    if importlib.util.find_spec("av"):
        films["image/gif"] = animation(".gif", pictures)
        for media_type, (container, codec) in WRITTEN.items():
            films[media_type] = film(pictures, container, codec)
    return films


def contents() -> list[Clip]:
    rng = np.random.default_rng(0)
    shapes = [(1, 1, 1), (5, 4, 60), (20, 72, 128), (3, 91, 37), (2, 120, 90)]
    clips = []
    for count, height, width in shapes:
        noise = rng.integers(0, 256, (count, height, width, 3), dtype=np.uint8)
        times = tuple(np.cumsum(rng.integers(1, 900, count)).tolist())
        clips.append(Clip(tuple(map(to_jpeg, noise)), times, times[-1] + 40))
    return clips


def moving(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """RGB pictures of a bright square that goes from left to right on a ramp of blue."""
    pictures = []
    for place in range(count):
        picture = np.zeros((height, width, 3), np.uint8)
        picture[:, :, 2] = np.linspace(40, 160, width, dtype=np.uint8)
        left = (width - height // 3) * place // max(1, count - 1)
        picture[height // 3 : 2 * height // 3, left : left + height // 3] = (240, 200, 40)
        pictures.append(picture)
    return pictures


def film(
    pictures: Sequence[np.ndarray],
    container: str = "mp4",
    codec: str = "libx264",
    times: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    flags: dict[str, str] | None = None,
) -> bytes:
    """A file by PyAV.

    Parameters
    ----------
    pictures:
        uint8 RGB of one size, its sides even.
    times:
        In ms, ascending; None: ten pictures a second.
    options, flags:
        The codec's, and the container's.
    """
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=container, options=flags or {}) as output:
        rate = 10 if times is None else 1000
        stream: Any = output.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for place, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = place if times is None else times[place]
            frame.time_base = Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def animation(ending: str, pictures: Sequence[np.ndarray], ms: int = 100) -> bytes:
    """An animated picture by OpenCV."""
    made = cv2.Animation()
    made.frames = [cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) for picture in pictures]
    durations: Any = np.full(len(pictures), ms)
    made.durations = durations
    return cv2.imencodeanimation(ending, made)[1].tobytes()
