"""Scales: from values to places, with round ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Maps [low, high] to [0, 1]; `ticks` are round values within."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def place(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)


def nice_scale(
    values: Iterable[float], ticks: int = 5, within: tuple[float, float] | None = None
) -> Scale:
    """A scale over all values with about `ticks` round steps, clipped to `within`."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    if high - low < 1e-9:
        low, high = low - 0.05, high + 0.05
    rough = (high - low) / ticks
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if within is not None:
        first = max(first, math.ceil(within[0] / step - 1e-9))
        last = min(last, math.floor(within[1] / step + 1e-9))
    places = tuple(round(index * step, 10) for index in range(first, last + 1))
    return Scale(places[0], places[-1], places)


UNIT = Scale(0.0, 1.0, (0.0, 0.5, 1.0))
FIFTHS = Scale(0.0, 1.0, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0))
