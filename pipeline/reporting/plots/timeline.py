"""Spans on a time axis, from left to right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pipeline.core.spans import Span, clock
from pipeline.reporting.plots.scale import Scale
from pipeline.reporting.plots.svg import drawing, share, tag

# Colours by which classes are told apart; the ones after them share a grey.
HUES = 6
HEIGHT = 20
# Of an axis: most labels, and ms from one to the next.
TICKS = 10
STEPS = tuple(
    1000 * seconds
    for seconds in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400)
)


@dataclass(frozen=True)
class SpanMark:
    """A span in the colour of a class, its tooltip, and its kind as a CSS class, or empty."""

    span: Span
    hue: str
    tooltip: str
    kind: str = ""


def hue(place: int) -> str:
    """The CSS class of the colour of a class, by its place; one that has none is grey."""
    return f"hue{place}" if 0 <= place < HUES else "hue"


def spans(marks: Sequence[SpanMark], scale: Scale, label: str) -> Markup:
    """Spans as blocks; those of the kind `wrong` are underlined."""
    shapes = []
    for mark in marks:
        start, end = scale.place(mark.span.start), scale.place(mark.span.end)
        box = {"x": share(start), "width": share(end - start)}
        shapes.append(
            tag("rect", tag("title", mark.tooltip), y=0, height=HEIGHT - 5,
                class_=f"span {mark.hue} {mark.kind}".rstrip(), **box)
        )  # fmt: skip
        if mark.kind == "wrong":
            shapes.append(tag("rect", y=HEIGHT - 3, height=3, class_="fault", **box))
    return drawing(label, *shapes, class_="row spans")


def axis(scale: Scale) -> Markup:
    """Round times where they are, at most TICKS of them."""
    length = scale.high - scale.low
    step = next((step for step in STEPS if step * TICKS >= length), STEPS[-1])
    times = range(0, round(scale.high) + 1, step)
    return _texts([(scale.place(time), clock(time).removesuffix(".0")) for time in times])


def cells(times: Sequence[int | None]) -> Markup:
    """Times below the middles of cells of one width."""
    return _texts(
        [
            ((2 * place + 1) / (2 * len(times)), clock(time))
            for place, time in enumerate(times)
            if time is not None
        ]
    )


def _texts(places: Iterable[tuple[float, str]]) -> Markup:
    texts = []
    for place, text in places:
        anchor = "start" if place < 0.02 else "end" if place > 0.98 else "middle"
        texts.append(tag("text", text, x=share(place), y=12, text_anchor=anchor))
    return tag("svg", *texts, class_="row axis", aria_hidden="true")
