"""The benchmark as bars: CPU seconds a file, of each way to do the work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from benchmarks import table
from pipeline.reporting.plots.svg import tag

WIDTH, LABELS, ROW, TOP = 760, 330, 26, 40
OWN, BARE, OTHER = "#0072b2", "#00795a", "#9aa0a6"
FONT = "system-ui, sans-serif"


def draw(results: Mapping[str, Any]) -> str:
    """An SVG with a bar for every job on the stamps; the one on half of them is scaled."""
    rows = bars(results)
    longest = max(ratio for _, ratio, _ in rows)
    height = TOP + ROW * len(rows) + 10
    shapes = [
        tag("rect", width=WIDTH, height=height, fill="#ffffff"),
        _text("CPU seconds, as a multiple of the bare kernels'", 16, 24, 15),
    ]
    for number, (name, ratio, colour) in enumerate(rows):
        top = TOP + ROW * number
        length = (WIDTH - LABELS - 70) * ratio / longest
        shapes += [
            _text(name, 16, top + 17, 13),
            tag("rect", x=LABELS, y=top + 4, width=length, height=ROW - 8, fill=colour, rx=2),
            _text(f"{ratio:.2f}", LABELS + length + 6, top + 17, 13),
        ]
    return str(
        tag(
            "svg", *shapes, xmlns="http://www.w3.org/2000/svg", role="img",
            viewBox=f"0 0 {WIDTH} {height}", width=WIDTH, height=height,
        )
    )  # fmt: skip


def bars(results: Mapping[str, Any]) -> list[tuple[str, float, str]]:
    """(name, CPU ÷ limit, colour), the cheapest first.

    The job on half of the stamps comes by its ratio to this project on that half.
    """
    bare = table.limit(results, "stamps")
    own = table.total(results["processes"]["stamps"])
    rows = [
        (name, ratio * own / bare, _colour(name))
        for name, batch, _, _, ratio in table.jobs(results)
        if batch == "stamps" or name == table.TITLES[table.APART]
    ]
    return sorted(rows, key=lambda row: row[1])


def _colour(name: str) -> str:
    return OWN if name.startswith("this project") else BARE if name.startswith("limit") else OTHER


def _text(words: str, x: float, y: float, size: int) -> Markup:
    return tag("text", words, x=x, y=y, font_size=size, font_family=FONT, fill="#1a1d21")
