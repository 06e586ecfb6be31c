"""How an error rate is spread over tests without end.

What is spent on each test sums to the whole, so that by the union bound all of them together err
with no more than the whole, however they depend on each other (alpha spending: Foster & Stine 2008,
JRSS B 70; Ramdas et al. 2017, "Online control of the false discovery rate with decaying memory",
NeurIPS).
"""

from __future__ import annotations

from collections.abc import Sequence

EXPONENT = 1.5
ZETA = 2.612375348685488  # of EXPONENT
YEAR = 365


def series(j: int) -> float:
    """s(j) = j^-1.5 / ζ(1.5) for j = 1, 2, …: 0.38, 0.14, 0.07, …; it sums to 1."""
    return float(j**-EXPONENT / ZETA)


def night_level_of_year(p_values: Sequence[float], rate: float, highest: float = 1.0) -> float:
    """The level of tonight's test, by LORD++ (Ramdas et al. 2017), which begins anew each YEAR.

    A night may spend 1/YEAR of half of `rate`, and of what discoveries have won, s(k) on the k-th
    night after each: the first wins the other half, any other all of `rate`. A discovery is a
    p-value at or below its level. Two things hold:

    - until something has truly changed, the chance of any discovery within a year is at most
      `rate` / 2, however the tests depend on each other;
    - within a year, the expected share of false ones among the discoveries is at most `rate`, if
      p-values without change are valid given the tests before. Tests that share a reference are
      so only roughly.

    Parameters
    ----------
    p_values:
        Of every night before, in their order.
    highest:
        No level is higher, which keeps both.
    """
    this_year = p_values[len(p_values) // YEAR * YEAR :]
    discovered: list[int] = []
    for night in range(len(this_year) + 1):
        level = rate / 2 / YEAR
        for place, tau in enumerate(discovered):
            level += rate * series(night - tau) * (0.5 if place == 0 else 1.0)
        level = min(level, highest)
        if night < len(this_year) and this_year[night] <= level:
            discovered.append(night)
    return level
