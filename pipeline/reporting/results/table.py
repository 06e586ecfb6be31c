"""Tables of Markdown, and the figures in their cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from pipeline.models.tasks import Figure
from pipeline.reporting.format import amount, points

DASH = "\N{EM DASH}"


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def estimate(
    write: Callable[[float], str], value: float, low: float | None, high: float | None
) -> str:
    """A value with its interval, if it has one: "71.5 (67.1 to 74.9)"."""
    if low is None or high is None:
        return write(value)
    return f"{write(value)} ({write(low)} to {write(high)})"


def figure_cells(values: Mapping[str, Any], figures: Mapping[str, Figure]) -> Iterator[str]:
    """A cell for each figure, of {value, low, high} by its name; a dash for none."""
    for name, figure in figures.items():
        value, low, high = ((values.get(name) or {}).get(end) for end in ("value", "low", "high"))
        write = partial(amount, share=figure.share)
        yield DASH if value is None else estimate(write, value, low, high)


def difference(figure: Mapping[str, Any] | None) -> str:
    """How many points more a figure is than the one that it is held against; empty without it."""
    if figure is None:
        return ""
    return estimate(points, figure["value"], figure["low"], figure["high"])
