"""The films of the benchmark: pieces of Big Buck Bunny, and one whose times are uneven."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pipeline import recipes
from pipeline.modalities.image.opencv import cv2
from pipeline.sources import big_buck_bunny

SIZE = (640, 360)
# Pictures of a camera that slows down in the dark, in ms.
STEPS = (33, 33, 34, 50, 66)


def fetch_film(folder: Path, package: Path | None) -> Path:
    """Big Buck Bunny whole, 596 s in 720p, as the recipe `film` has it.

    Parameters
    ----------
    package:
        moviepy's source distribution, if it is here already.
    """
    options = yaml.safe_load(recipes.load("film").params)["fetch"]["film"]
    if package is not None:
        options["packages"]["moviepy"]["file"] = str(package.absolute())
    path = folder / options["version"] / big_buck_bunny.FILM
    if not path.is_file():
        big_buck_bunny.fetch(folder, big_buck_bunny.FetchOptions.model_validate(options))
    return path


def cut(film: Path, start: float, seconds: float, path: Path) -> Path:
    """The pictures of a stretch, from the key at or before `start`; nothing is encoded."""
    import av

    if path.is_file():
        return path
    scratch = path.with_name(f".{path.name}")
    with av.open(str(film)) as source, av.open(str(scratch), "w") as output:
        track = source.streams.video[0]
        copy = output.add_stream_from_template(track)
        source.seek(round(start / track.time_base), stream=track)
        first = None
        for packet in source.demux(track):
            if packet.dts is None:
                break
            first = packet.pts if first is None else first
            if (packet.dts - first) * track.time_base >= seconds:
                break
            packet.pts, packet.dts = packet.pts - first, packet.dts - first
            packet.stream = copy
            output.mux(packet)
    scratch.rename(path)
    return path


def put_uneven(seconds: int, path: Path) -> Path:
    """A film in H.264 with a key each ten seconds, its pictures at the times of a phone's."""
    import av

    if path.is_file():
        return path
    scratch = path.with_name(f".{path.name}")
    with av.open(str(scratch), "w") as output:
        track: Any = output.add_stream("libx264", rate=1000, options={"g": "250", "crf": "26"})
        track.width, track.height = SIZE
        track.pix_fmt = "yuv420p"
        track.codec_context.thread_count = 1
        time, steps = 0, itertools.cycle(STEPS)
        for picture in _moving():
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            output.mux(track.encode(frame))
            time += next(steps)
            if time >= 1000 * seconds:
                break
        output.mux(track.encode(None))
    scratch.rename(path)
    return path


def _moving() -> Iterator[np.ndarray]:
    """RGB pictures of a rug over which a camera goes in a circle, without end."""
    width, height = SIZE
    noise = np.random.default_rng(0).integers(0, 256, (2 * height, 2 * width, 3), np.uint8)
    rug = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 4), None, 0, 255, cv2.NORM_MINMAX)
    angle = 0.0
    while True:
        left = round(width / 2 * (1 + np.cos(angle)))
        top = round(height / 2 * (1 + np.sin(angle)))
        yield np.ascontiguousarray(rug[top : top + height, left : left + width])
        angle += 0.02


def put_batch(film: Path, folder: Path, keys: Sequence[int], seconds: int) -> None:
    """A batch of pieces of a film, each a file of its own from a key on, and their table.

    Parameters
    ----------
    keys:
        Where pieces begin, in ms.
    """
    folder.mkdir(parents=True)
    names = [cut(film, key / 1000, seconds, folder / f"{key:06}.mp4").name for key in keys]
    (folder / "metadata.csv").write_text("\n".join(["file_name", *names]) + "\n")
