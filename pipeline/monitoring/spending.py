"""How an error rate is spread over tests without end.

Every rate here comes from one series that sums to 1, s(j) = j^-1.5 / ζ(1.5): 0.38, 0.14, 0.07, …
What test j may spend is s(j) of the whole, so that by the union bound all of them together err
with no more than the whole, however they depend on each other (alpha spending: Foster & Stine 2008,
JRSS B 70; Ramdas et al. 2017, "Online control of the false discovery rate with decaying memory",
NeurIPS).
"""

from __future__ import annotations

from collections.abc import Sequence

EXPONENT = 1.5
ZETA = 2.612375348685488  # of EXPONENT


def series(j: int) -> float:
    """s(j) for j = 1, 2, …; it sums to 1."""
    return float(j**-EXPONENT / ZETA)


def discovery_levels(p_values: Sequence[float], rate: float, highest: float = 1.0) -> list[float]:
    """The level of each test so far and of the next, by LORD++ (Ramdas et al. 2017).

    Level t is half of `rate` times s(t), and for each discovery at τ, `rate` times s(t - τ), of
    which the first counts a half; a discovery is a p-value at or below its level. Two things hold:

    - until something has truly changed, the chance of any discovery is at most `rate` / 2,
      however the tests depend on each other;
    - over all tests, the expected share of false ones among the discoveries is at most `rate`, if
      p-values without change are valid given the tests before. Tests that share a reference are
      so only roughly.

    Parameters
    ----------
    highest:
        No level is higher, which keeps both.

    Returns
    -------
    len(p_values) + 1 levels.
    """
    levels: list[float] = []
    discovered: list[int] = []
    for t in range(1, len(p_values) + 2):
        level = rate / 2 * series(t)
        for place, tau in enumerate(discovered):
            level += rate * series(t - tau) * (0.5 if place == 0 else 1.0)
        levels.append(min(level, highest))
        if t <= len(p_values) and p_values[t - 1] <= levels[-1]:
            discovered.append(t)
    return levels
