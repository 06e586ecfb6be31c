"""One-row charts that stand in a table or a list: intervals, dumbbells, bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from pipeline.reporting.format import amount, percent, points
from pipeline.reporting.plots.scale import Scale
from pipeline.reporting.plots.svg import drawing, share, tag

HEIGHT = 22


def whisker(
    value: float,
    low: float | None,
    high: float | None,
    scale: Scale,
    mark: str = "",
    is_share: bool = True,
) -> Markup:
    """A dot with its interval, if it has one; `mark` is the CSS class of the chosen ones."""
    unit = " %" if is_share else ""
    label, middle, x = f"{amount(value, is_share)}{unit}", HEIGHT / 2, share(scale.place(value))
    if low is None or high is None:
        label += ", no interval"
        shapes = [_dot(x, middle)]
    else:
        label += f", interval {amount(low, is_share)} to {amount(high, is_share)}{unit}"
        shapes = _interval(x, share(scale.place(low)), share(scale.place(high)), middle)
    return drawing(label, *_grid(scale), *shapes, class_=f"row {mark}".strip())


def effect(
    value: float,
    low: float,
    high: float,
    scale: Scale,
    mark: str = "",
    limit: float | None = None,
) -> Markup:
    """A difference with its interval, beside the line of no difference and that of a limit."""
    middle = HEIGHT / 2
    lines = {"zero": 0.0, **({} if limit is None else {"limit": limit})}
    x, x1, x2 = (share(scale.place(v)) for v in (value, low, high))
    return drawing(
        f"{points(value)} points, interval {points(low)} to {points(high)}",
        *_grid(scale),
        *(
            tag("line", x1=at, x2=at, y1=0, y2=HEIGHT, class_=name)
            for name, place in lines.items()
            for at in [share(scale.place(place))]
        ),
        *_interval(x, x1, x2, middle),
        class_=f"row {mark}".strip(),
    )


def dumbbell(value: float, other: float | None, label: str, scale: Scale) -> Markup:
    """Two dots and the way between: this model's figure and, if it has one, the other's."""
    middle = HEIGHT / 2
    shapes, x = _grid(scale), share(scale.place(value))
    if other is not None:
        beside, way = share(scale.place(other)), "gain" if value >= other else "loss"
        shapes += [
            tag("line", x1=x, x2=beside, y1=middle, y2=middle, class_=f"way {way}"),
            tag("circle", cx=beside, cy=middle, r=4.5, class_="dot other"),
        ]
    shapes.append(tag("circle", cx=x, cy=middle, r=5.5, class_="dot own"))
    return drawing(label, *shapes, class_="row")


def bar(value: float, label: str, kind: str = "") -> Markup:
    """A share from 0 to 1 as a bar on its track."""
    return drawing(
        label,
        tag("rect", x=0, y=7, width="100%", height=8, rx=4, class_="track"),
        tag("rect", x=0, y=7, width=share(value), height=8, rx=4, class_="fill"),
        class_=f"row bar {kind}".strip(),
    )


def stack(shares: Sequence[tuple[str, float]], label: str) -> Markup:
    """Bars end to end: (CSS class, share of the width) each."""
    shapes, start = [], 0.0
    for kind, width in shares:
        if width > 0:
            shapes.append(
                tag("rect", x=share(start), y=5, width=share(width), height=12, class_=kind)
            )
        start += width
    return drawing(label, *shapes, class_="row stack")


def axis(scale: Scale, written: Callable[[float], str] = percent) -> Markup:
    """The ticks of the rows below or above it, in per cent or as `written`."""
    anchors = ["start"] + ["middle"] * (len(scale.ticks) - 2) + ["end"]
    return tag(
        "svg",
        *(
            tag("text", written(tick).removesuffix(".0"), x=share(scale.place(tick)), y=12,
                text_anchor=anchor)
            for tick, anchor in zip(scale.ticks, anchors, strict=True)
        ),
        class_="row axis",
        aria_hidden="true",
    )  # fmt: skip


def _interval(x: str, low: str, high: str, y: float) -> list[Markup]:
    return [
        tag("line", x1=low, x2=high, y1=y, y2=y, class_="whisker"),
        *(tag("line", x1=end, x2=end, y1=y - 4, y2=y + 4, class_="cap") for end in (low, high)),
        _dot(x, y),
    ]


def _dot(x: str, y: float) -> Markup:
    return tag("circle", cx=x, cy=y, r=5.5, class_="dot")


def _grid(scale: Scale) -> list[Markup]:
    places = [share(scale.place(tick)) for tick in scale.ticks]
    return [tag("line", x1=x, x2=x, y1=0, y2=HEIGHT, class_="grid") for x in places]
