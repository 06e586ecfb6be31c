"""Films on a page: what is drawn stands where it is seen, heard and said."""

from __future__ import annotations

import io
import re
from base64 import b64decode
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.core.media_card import Strip
from pipeline.core.spans import Span
from pipeline.modalities.audio import strip as sound
from pipeline.modalities.audio.content import SAMPLING_RATE, pack
from pipeline.modalities.video import strip as pictures
from pipeline.modalities.video.content import Clip, to_jpeg
from pipeline.reporting.content import modules
from pipeline.reporting.plots.scale import Scale
from pipeline.reporting.plots.timeline import SpanMark, axis, cells, hue, spans
from pipeline.reporting.strips import strips_of
from tests.reporting.reading import read


def grey(level: int, height: int = 36, width: int = 64) -> bytes:
    return to_jpeg(np.full((height, width, 3), level, np.uint8))


def test_pictures_stand_at_their_times_and_nothing_where_there_is_none() -> None:
    first = Clip((grey(40), grey(80)), (0, 3000), 6000)
    last = Clip((grey(160, 72, 64),), (0,), 1000)
    drawn = pictures.strip([(Span(0, 6000), first), (Span(11_000, 12_000), last)], 12_000)
    assert drawn is not None
    assert drawn.times == (0, 0, 0, *[3000] * 3, *[None] * 5, 11_000)
    data = b64decode(str(drawn.picture).partition("base64,")[2])
    sheet = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
    assert sheet.shape == (drawn.height, drawn.width, 4)
    middles = sheet[drawn.height // 2, 60::120]
    assert middles[:, 3].tolist() == [255] * 6 + [0] * 5 + [255]
    seen = middles[middles[:, 3] > 0, 0].astype(int)
    assert np.abs(seen - [40, 40, 40, 80, 80, 80, 160]).max() < 6
    assert pictures.strip([(Span(0, 10), last)], 12_000) is None


def _loud(drawn: Strip) -> list[int]:
    """Columns of an outline that are far from its middle."""
    points = re.findall(r"([\d.]+),([\d.]+)", str(drawn.outline))[: sound.COLUMNS]
    return [int(float(x)) for x, y in points if float(y) < 8]


def test_sound_stands_where_it_is_heard() -> None:
    tone = np.full(SAMPLING_RATE, 0.5, np.float32)
    drawn = sound.strip([(Span(2000, 3000), tone), (Span(7000, 7500), tone)], 10_000)
    assert drawn is not None
    assert _loud(drawn) == [*range(80, 120), *range(280, 300)]
    assert sound.strip([], 10_000) is None
    assert sound.strip([(Span(0, 1000), 0 * tone)], 10_000) is None


def test_spans_stand_on_the_scale_and_what_is_wrong_is_underlined() -> None:
    scale = Scale(0, 10_000, ())
    marks = [
        SpanMark(Span(0, 2500), hue(0), "a <said>"),
        SpanMark(Span(5000, 10_000), hue(9), "b", "wrong"),
    ]
    root = read(str(spans(marks, scale, "spans")))
    boxes = [(box.attributes["x"], box.attributes["width"]) for box in root.all("rect")]
    assert boxes == [("0%", "25%"), ("50%", "50%"), ("50%", "50%")]
    kinds = [box.attributes["class"] for box in root.all("rect")]
    assert kinds == ["span hue0", "span hue wrong", "fault"]
    assert root.all("title")[1].text == "a <said>"


@pytest.mark.parametrize(
    ("ms", "times"),
    [
        (4000, ["0:00", "0:01", "0:02", "0:03", "0:04"]),
        (596_000, [f"{minute}:00" for minute in range(10)]),
        (36_000_000, [f"{hour}:00:00" if hour else "0:00" for hour in range(0, 11)]),
    ],
)
def test_an_axis_has_round_times(ms: int, times: list[str]) -> None:
    root = read(str(axis(Scale(0, ms, ()))))
    assert [text.text for text in root.all("text")] == times


def test_cells_without_a_picture_have_no_time() -> None:
    root = read(str(cells([500, None, 61_250])))
    assert [(t.attributes["x"], t.text) for t in root.all("text")] == [
        ("16.67%", "0:00.5"),
        ("83.33%", "1:01.2"),
    ]


def test_content_that_stands_twice_is_drawn_twice() -> None:
    tone = pack(np.full(SAMPLING_RATE, 0.5, np.float32))
    inputs: Any = SimpleNamespace(
        modalities=("audio",),
        by_id={"a": {"audio": "jingle"}, "b": {"audio": "jingle"}},
        assets=lambda modality, digests: dict.fromkeys(digests, tone),
    )
    spans = {"a": Span(2000, 3000), "b": Span(7000, 8000)}
    ((modality, drawn),) = strips_of(inputs, spans, 10_000)
    assert modality == "audio"
    assert _loud(drawn) == [*range(80, 120), *range(280, 320)]


def test_how_content_is_drawn_counts_in_the_key_of_a_page() -> None:
    assert "pipeline.modalities.video.strip" in modules(["video"])
