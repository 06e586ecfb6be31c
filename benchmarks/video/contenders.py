"""Pictures of a film at two a second, had one way, timed in a process of its own.

    python -m benchmarks.video.contenders WAY FILM MS OUT    prints JSON

Each way gives the same pictures, at most SIDE pixels long, with the times at which they are shown,
on one thread; what it imports is not timed. MS is how long the film is, and OUT gets times and
pictures, to be compared.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.files.file_bytes import FileBytes
from pipeline.core.machine.peak_memory import peak_mb
from pipeline.modalities.image.opencv import cv2
from pipeline.modalities.video import ffmpeg
from pipeline.modalities.video.clean import Options, clean
from pipeline.modalities.video.convert import seen
from pipeline.modalities.video.decode import decode
from pipeline.modalities.video.survey import Limits
from pipeline.modalities.video.timeline import shown_at

EVERY_MS, SIDE = 500, 256
# Two pictures of the films follow one another within so many ms.
NEAR_MS = 70
# More pictures than any of the films gives.
MOST = 10_000
LIMITS = Limits(
    every_ms=EVERY_MS,
    most_pictures=MOST,
    side=SIDE,
    max_seconds=3600.0,
    max_rate=240.0,
    max_pixels=1 << 24,
    keep_damaged=False,
)
# Times in ms, and uint8 RGB (height, width, 3).
Pictures = Iterable[tuple[int, np.ndarray]]


def ours(film: Path, moments: range) -> Pictures:
    """What cleaning decodes."""
    _, shown = decode(FileBytes(film), LIMITS)
    return ((time, picture.image) for time, picture in shown)


def ours_cleaned(film: Path, moments: range) -> Pictures:
    """All that cleaning does: they are measured and kept as JPEG, of which they are read here."""
    options = Options(every_ms=EVERY_MS, max_frames=MOST, max_side=SIDE)
    clip, _ = clean(FileBytes(film), "", options)
    return zip(clip.times, clip.images(), strict=True)


def pyav(film: Path, moments: range) -> Pictures:
    """A loop over the moments: to the key before one if it lies ahead, and on from there.

    The index says where keys are, by the times at which they are decoded, and our kernel makes of a
    frame what is seen.
    """
    with ffmpeg.library().open(str(film)) as file:
        track = file.streams.video[0]
        track.codec_context.thread_count = 1
        base, index, at = track.time_base, track.index_entries, 0
        frames, ahead = file.decode(track), track.start_time - index[0].timestamp
        held, following = None, next(frames)
        for asked in moments:
            target = track.start_time + int(asked / 1000 / base)
            key = index[index.search_timestamp(target - ahead)].timestamp + ahead
            if key > max(at, following.pts):
                file.seek(key, stream=track)
                frames, at = file.decode(track), key
                following = next(frames)
            is_new = held is None
            while following is not None and following.pts <= target:
                held, following, is_new = following, next(frames, None), True
            if is_new and held is not None:
                shown = round(1000 * (held.pts - track.start_time) * base)
                yield shown, seen(held, track.sample_aspect_ratio, SIDE).image
            if following is None:
                return


def opencv_read(film: Path, moments: range) -> Pictures:
    """Every picture read, as the tutorials have it."""

    def pictures(capture: Any) -> Iterator[tuple[int, np.ndarray]]:
        while (read := capture.read())[0]:
            yield round(capture.get(cv2.CAP_PROP_POS_MSEC)), read[1]

    return _captured(film, moments, pictures)


def opencv_grab(film: Path, moments: range) -> Pictures:
    """Every picture decoded, and of those that are near a moment the colours."""

    def pictures(capture: Any) -> Iterator[tuple[int, np.ndarray]]:
        while capture.grab():
            shown = round(capture.get(cv2.CAP_PROP_POS_MSEC))
            if -shown % EVERY_MS <= NEAR_MS:
                yield shown, capture.retrieve()[1]

    return _captured(film, moments, pictures)


def _captured(
    film: Path, moments: range, pictures: Callable[[Any], Iterator[tuple[int, np.ndarray]]]
) -> Iterator[tuple[int, np.ndarray]]:
    capture = cv2.VideoCapture(str(film), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    for shown, bgr in shown_at(pictures(capture), moments):
        yield shown, cv2.cvtColor(_small(bgr), cv2.COLOR_BGR2RGB)


def decord(film: Path, moments: range) -> Pictures:
    """Every picture read, at the size that is wanted."""
    import decord as library

    height, width, _ = library.VideoReader(str(film), num_threads=1)[0].shape
    small = _size(height, width)
    reader = library.VideoReader(str(film), num_threads=1, width=small[0], height=small[1])
    times = reader.get_frame_timestamp(range(len(reader)))[:, 0]
    every = ((round(1000 * float(time)), reader.next()) for time in times)
    return ((time, picture.asnumpy()) for time, picture in shown_at(every, moments))


def torchcodec(film: Path, moments: range) -> Pictures:
    """What is played at the moments, all asked for at once."""
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(str(film), num_ffmpeg_threads=1, dimension_order="NHWC")
    played = decoder.get_frames_played_at([asked / 1000 for asked in moments])
    last = -1
    for picture, start in zip(played.data.numpy(), played.pts_seconds.tolist(), strict=True):
        if start > last:
            yield round(1000 * start), _small(picture)
        last = start


def _small(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, _size(*picture.shape[:2]), interpolation=cv2.INTER_AREA)


def _size(height: int, width: int) -> tuple[int, int]:
    """Width and height within SIDE."""
    shrink = min(1.0, SIDE / max(height, width))
    return round(width * shrink), round(height * shrink)


WAYS: dict[str, Callable[[Path, range], Pictures]] = {
    "ours": ours,
    "ours_cleaned": ours_cleaned,
    "pyav": pyav,
    "opencv_read": opencv_read,
    "opencv_grab": opencv_grab,
    "decord": decord,
    "torchcodec": torchcodec,
}


PACKAGES = {"decord": "decord", "torchcodec": "torchcodec.decoders"}


def memory(film: Path) -> dict[str, float]:
    """MB that a process holds at most that cleans a film by default, and that of its file."""
    data = FileBytes(film)
    with data.unchanged():
        clean(data, "", Options.model_validate({}))
    return {"peak_mb": peak_mb(), "file_mb": len(data) / 2**20}


def main(way: str, film: Path, duration: int, out: Path) -> dict[str, float]:
    if way == "memory":
        return memory(film)
    __import__(PACKAGES.get(way, "av"))
    began = time.process_time()
    pictures = list(WAYS[way](film, range(0, duration, EVERY_MS)))
    spent = time.process_time() - began
    np.savez(out, times=[time for time, _ in pictures], pictures=[image for _, image in pictures])
    return {"cpu_s": spent}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))))
