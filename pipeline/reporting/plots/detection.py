"""Error rates against each other, as the field draws them."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist

from markupsafe import Markup

from pipeline.reporting.format import humanize
from pipeline.reporting.plots.panels import Points
from pipeline.reporting.plots.svg import drawing, number, tag

WIDTH, HEIGHT = 420, 420
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 40
TICKS = (0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99)
LOW, HIGH = 0.0005, 0.995


def det(curves: Mapping[str, Points], label: str, shown: str) -> Markup:
    """Misses over false acceptances, shares from 0 to 1, on scales of normal deviates.

    The DET curve of Martin et al. (Eurospeech 1997): scores that are normal give a straight line,
    and curves that lie close are told apart. `shown` is the name of the curve that stands out.
    """
    probit = NormalDist().inv_cdf
    low, high = probit(LOW), probit(HIGH)

    def place(share: float) -> float:
        return (probit(min(max(share, LOW), HIGH)) - low) / (high - low)

    def x(share: float) -> float:
        return LEFT + place(share) * (WIDTH - LEFT - RIGHT)

    def y(share: float) -> float:
        return HEIGHT - BOTTOM - place(share) * (HEIGHT - TOP - BOTTOM)

    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    shapes = [
        shape
        for tick in TICKS
        for shape in (
            tag("line", x1=LEFT, x2=right, y1=y(tick), y2=y(tick), class_="grid"),
            tag("line", x1=x(tick), x2=x(tick), y1=TOP, y2=bottom, class_="grid"),
            tag("text", f"{100 * tick:g}", x=LEFT - 6, y=y(tick) + 4, text_anchor="end"),
            tag("text", f"{100 * tick:g}", x=x(tick), y=bottom + 16, text_anchor="middle"),
        )
    ]
    shapes.append(tag("line", x1=x(LOW), y1=y(LOW), x2=x(HIGH), y2=y(HIGH), class_="ideal"))
    for name, points in sorted(curves.items(), key=lambda curve: curve[0] == shown):
        path = " ".join(f"{number(x(across))},{number(y(up))}" for across, up in points)
        kind = "fusion" if name == shown else "beside"
        title = tag("title", humanize(name))
        shapes.append(tag("polyline", title, points=path, class_=f"line {kind}"))
    shapes.append(
        tag("text", "false acceptances, %", x=(LEFT + right) / 2, y=HEIGHT - 6,
            text_anchor="middle")
    )  # fmt: skip
    return drawing(label, *shapes, viewBox=f"0 0 {WIDTH} {HEIGHT}", class_="panel square")
