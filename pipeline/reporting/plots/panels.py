"""Small charts of a fixed view box: learning curves and the calibration diagram."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pipeline.reporting.format import percent
from pipeline.reporting.plots.scale import FIFTHS, Scale, nice_scale
from pipeline.reporting.plots.svg import drawing, number, tag

WIDTH, HEIGHT = 300, 190
LEFT, RIGHT, TOP, BOTTOM = 38, 8, 8, 24
Points = Sequence[tuple[float, float]]


def lines(
    series: Mapping[str, Points], label: str, best: float | None = None, unit: str = "epoch"
) -> Markup:
    """Lines over epochs (or another unit), one CSS class a name, with the best epoch marked."""
    steps = [x for points in series.values() for x, _ in points]
    across = Scale(min(steps), max(max(steps), min(steps) + 1), ())
    up = nice_scale([y for points in series.values() for _, y in points], ticks=4)

    def x(step: float) -> float:
        return LEFT + across.place(step) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - up.place(value) * (HEIGHT - TOP - BOTTOM)

    shapes = levels(up.ticks, y, (LEFT, WIDTH - RIGHT), "{:.3g}".format)
    if best is not None:
        shapes.append(
            tag("line", x1=x(best), x2=x(best), y1=TOP, y2=HEIGHT - BOTTOM, class_="best")
        )
    for name, points in series.items():
        path = " ".join(f"{number(x(step))},{number(y(value))}" for step, value in points)
        shapes.append(tag("polyline", points=path, class_=f"line {name}"))
    shapes += [
        tag("text", number(across.low), x=LEFT, y=HEIGHT - 6),
        tag("text", unit, x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 6, text_anchor="middle"),
        tag("text", number(max(steps)), x=WIDTH - RIGHT, y=HEIGHT - 6, text_anchor="end"),
    ]
    return drawing(label, *shapes, viewBox=f"0 0 {WIDTH} {HEIGHT}", class_="panel")


def levels(
    ticks: Sequence[float],
    y: Callable[[float], float],
    across: tuple[float, float],
    written: Callable[[float], str],
) -> list[Markup]:
    """A line of the grid at each tick of an upright scale, from left to right, and its number."""
    left, right = across
    return [
        shape
        for tick in ticks
        for shape in (
            tag("line", x1=left, x2=right, y1=y(tick), y2=y(tick), class_="grid"),
            tag("text", written(tick), x=left - 6, y=y(tick) + 4, text_anchor="end"),
        )
    ]


@dataclass(frozen=True)
class CalibrationBin:
    """The `n` answers whose confidence lies above `low` and up to `high`; shares from 0 to 1."""

    low: float
    high: float
    confidence: float
    accuracy: float
    n: int


def reliability(bins: Sequence[CalibrationBin], label: str) -> Markup:
    """Accuracy against mean confidence of each bin that has samples, as a dot of their area."""
    side, left, low = 280, 34, 26
    span = side - left - 10
    most = max((bin_.n for bin_ in bins), default=1)

    def x(value: float) -> float:
        return left + value * span

    def y(value: float) -> float:
        return side - low - value * span

    shapes = [
        shape
        for tick in FIFTHS.ticks
        for shape in (
            tag("line", x1=x(0), x2=x(1), y1=y(tick), y2=y(tick), class_="grid"),
            tag("text", number(100 * tick), x=left - 6, y=y(tick) + 4, text_anchor="end"),
            tag("text", number(100 * tick), x=x(tick), y=side - 9, text_anchor="middle"),
        )
    ]
    shapes.append(tag("line", x1=x(0), y1=y(0), x2=x(1), y2=y(1), class_="ideal"))
    for bin_ in bins:
        sentence = (
            f"Confidence {percent(bin_.low)} to {percent(bin_.high)} %: {bin_.n} samples, "
            f"{percent(bin_.accuracy)} % right, {percent(bin_.confidence)} % sure"
        )
        kind = "over" if bin_.confidence > bin_.accuracy else "under"
        across, ideal, actual = x(bin_.confidence), y(bin_.confidence), y(bin_.accuracy)
        shapes += [
            tag("line", x1=across, x2=across, y1=ideal, y2=actual, class_=f"gap {kind}"),
            tag("circle", tag("title", sentence), cx=across, cy=actual,
                r=3 + 7 * (bin_.n / most) ** 0.5, class_=f"bin {kind}"),
        ]  # fmt: skip
    return drawing(label, *shapes, viewBox=f"0 0 {side} {side}", class_="panel square")
