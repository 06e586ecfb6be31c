"""A film's time cut into spans: windows of one length, or shots."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.files.file_bytes import Bytes
from pipeline.core.spans import Span
from pipeline.modalities.video.clean import Options
from pipeline.modalities.video.container import kind_of
from pipeline.modalities.video.decode import all_pictures
from pipeline.modalities.video.survey import Limits, look_through

if TYPE_CHECKING:
    from pipeline.modalities.image.content import Image

# Longer side, in pixels, of the pictures in which shots are looked for: PySceneDetect shrinks
# pictures to about this.
SIDE = 256
# As cleaning limits films by default; a film may be longer than a span of it.
_OPTIONS = Options.model_validate({})
LIMITS = Limits(
    every_ms=None,
    most_pictures=1,
    side=SIDE,
    max_seconds=_OPTIONS.max_seconds,
    max_rate=_OPTIONS.max_rate,
    max_pixels=_OPTIONS.max_pixels,
    keep_damaged=True,
    span=Span(0, 1),
)
# As PySceneDetect calls its detectors, whose other options are its defaults.
DETECTORS = ("adaptive", "content", "hash", "histogram", "threshold")


def windows(data: Bytes, length: int, hop: int) -> list[Span]:
    """Spans of `length` ms, one each `hop` ms from 0 on, until one reaches the film's end.

    The last is as long as the film; raises what `survey.look_through` does.
    """
    survey, _ = look_through(data, kind_of(data), LIMITS)
    starts = range(0, max(1, survey.duration - length + hop), hop)
    return [Span(start, min(start + length, survey.duration)) for start in starts]


def shots(data: Bytes, detector: str, shortest: int) -> list[Span]:
    """Spans from cut to cut, that part the film without gap; a cut is the time of a picture.

    Parameters
    ----------
    detector:
        One of DETECTORS.
    shortest:
        ms that a shot lasts at least.

    Raises
    ------
    PipelineError
        There is no such detector, or PySceneDetect is not installed.
    Rejected
        What `survey.look_through` raises.
    """
    survey, clock = look_through(data, kind_of(data), LIMITS)
    pictures = all_pictures(data, clock, LIMITS)
    cuts = [cut for cut in _cuts(pictures, detector, shortest) if 0 < cut < survey.duration]
    return [Span(*pair) for pair in pairwise([0, *sorted(set(cuts)), survey.duration])]


def _cuts(pictures: Iterator[tuple[int, Image]], detector: str, shortest: int) -> Iterator[int]:
    """Times at which another shot begins, in ms."""
    from pipeline.modalities.image.opencv import cv2

    finder = _detector(detector, shortest)
    for ms, image in pictures:
        time = _timecode(ms)
        cuts = finder.process_frame(time, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        yield from (cut.frame_num for cut in cuts)
    yield from (cut.frame_num for cut in finder.post_process(time))


def _detector(name: str, shortest: int) -> Any:
    if name not in DETECTORS:
        raise PipelineError(unknown("detector", name, DETECTORS))
    try:
        from scenedetect import detectors
    except ImportError:
        raise PipelineError(
            "shots are found by PySceneDetect, which is not installed: "
            "pip install 'multimodal-pipeline[shots]'"
        ) from None
    return getattr(detectors, f"{name.capitalize()}Detector")(min_scene_len=shortest / 1000)


def _timecode(ms: int) -> Any:
    """The time as PySceneDetect has it: at a thousand pictures a second, ms are numbers."""
    from scenedetect.common import FrameTimecode

    return FrameTimecode(ms, 1000.0)
