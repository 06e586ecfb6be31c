"""Black bars are cut off on request, and darkness is not."""

from __future__ import annotations

from itertools import cycle, islice

import numpy as np
import pytest

from pipeline.core import once_a_file
from pipeline.core.spans import MEDIA_TYPE, Span, join
from pipeline.modalities.video import clean as module
from pipeline.modalities.video.clean import Options, clean
from pipeline.modalities.video.content import Clip
from pipeline.modalities.video.examples import film, moving
from pipeline.modalities.video.letterbox import Bars, find_bars

HEIGHT, WIDTH = 64, 96


def framed(pictures: list[np.ndarray], above: int = 0, left: int = 0) -> list[np.ndarray]:
    """Bars around bright pictures, of a grey of 16, as some are stored."""
    sides = ((above, above), (left, left), (0, 0))
    return [np.pad(picture // 2 + 96, sides, constant_values=16) for picture in pictures]


PICTURES = moving(8, HEIGHT, WIDTH)
BLACK = np.zeros((HEIGHT + 24, WIDTH, 3), np.uint8)
BARRED = framed(PICTURES, above=12)


@pytest.mark.parametrize(
    ("pictures", "expected"),
    [
        (BARRED, (12 / 88, 0)),
        (framed(PICTURES, left=16), (0, 16 / 128)),
        (framed(PICTURES, above=8, left=16), (8 / 80, 16 / 128)),
        # A film fades in, and has a dark scene.
        ([BLACK, *BARRED, BLACK], (12 / 88, 0)),
        (PICTURES, (0, 0)),
        ([BLACK] * 8, (0, 0)),
        (BARRED[:2], (0, 0)),
    ],
)
def test_bars_are_told(pictures: list[np.ndarray], expected: tuple[float, float]) -> None:
    assert find_bars(pictures) == pytest.approx(expected)


def night() -> list[np.ndarray]:
    """A light that wanders through darkness, in the middle of the picture's height."""
    pictures = []
    for place in range(8):
        picture = np.full((HEIGHT, WIDTH, 3), 8, np.uint8)
        picture[24 + place : 40 - place, 10 * place : 10 * place + 8] = 200
        pictures.append(picture)
    return pictures


def skyline() -> list[np.ndarray]:
    """A night's sky over lit houses: dark above alone."""
    return [np.pad(picture[20:] // 2 + 96, ((20, 0), (0, 0), (0, 0))) for picture in PICTURES]


def lamp() -> list[np.ndarray]:
    """A round light that stays."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    disc = (rows - 31.5) ** 2 + (columns - 47.5) ** 2 < 20**2
    grey = np.where(disc, 200, 5).astype(np.uint8)
    return [np.repeat(grey[:, :, None], 3, axis=2)] * 8


def captioned() -> list[np.ndarray]:
    """Subtitles in the bar below."""
    pictures = [picture.copy() for picture in BARRED]
    pictures[3][-8:-4, 30:60] = 220
    return pictures


@pytest.mark.parametrize("pictures", [night(), skyline(), lamp(), captioned()])
def test_darkness_and_what_shines_in_a_bar_are_picture(pictures: list[np.ndarray]) -> None:
    assert find_bars(pictures) == Bars(0, 0)


def test_a_film_is_cut_alike_at_all_times_and_only_if_asked() -> None:
    shown = framed(PICTURES, above=16)
    data = film(list(islice(cycle(shown), 40)))
    cut = Options(letterbox="cut", every_ms=200, max_side=72)
    clip, measured = clean(data, "video/mp4", cut)
    assert sizes(clip) == {(48, 72)}
    assert measured["kept"] == pytest.approx(2 / 3)
    assert (measured["width"], measured["height"]) == (96, 96)
    assert all(image.min() > 80 for image in clip.images())
    # Of a span too short to tell.
    span = join("video/mp4", MEDIA_TYPE, Span(1000, 1200))
    assert sizes(clean(data, span, cut)[0]) == {(48, 72)}
    assert sizes(clean(data, span, cut.model_copy(update={"max_seconds": 1}))[0]) == {(48, 72)}
    kept, as_before = clean(data, "video/mp4", Options(every_ms=200, max_side=72))
    assert sizes(kept) == {(72, 72)}
    assert as_before["kept"] == 1


def test_bars_are_looked_for_once_for_all_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = []
    monkeypatch.setattr(once_a_file, "_results", {})
    monkeypatch.setattr(module, "find_bars", lambda seen: looked_at.append(seen) or find_bars(seen))
    data = film(BARRED)
    for start in (0, 200):
        span = join("video/mp4", MEDIA_TYPE, Span(start, start + 200))
        clip, _ = clean(data, span, Options(letterbox="cut", max_side=72))
        assert sizes(clip) == {(48, 72)}
    assert len(looked_at) == 1


def test_a_film_without_bars_comes_out_as_if_nobody_had_asked() -> None:
    data = film(PICTURES)
    assert clean(data, "", Options(letterbox="cut")) == clean(data, "", Options())


def sizes(clip: Clip) -> set[tuple[int, ...]]:
    return {image.shape[:2] for image in clip.images()}
