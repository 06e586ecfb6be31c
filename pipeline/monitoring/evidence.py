"""Evidence that a mean is above a bound, which may be looked at after every observation.

A gambler who bets against "the mean is at most m" multiplies their wealth by 1 + λ (x - m) at each
observation x. If the claim is true no bet gains on average, so the wealth is an e-process: its
expectation stays at most 1, and the chance that it ever reaches 1/p is at most p (Ville 1939).
Reject at 1/p whenever you like; no sample size is planned (Waudby-Smith & Ramdas 2024, "Estimating
means of bounded random variables by betting", JRSS B 86, arXiv:2010.09686; Ramdas, Grünwald, Vovk &
Shafer 2023, "Game-theoretic statistics and safe anytime-valid inference", Statistical Science 38;
Howard, Ramdas, McAuliffe & Sekhon 2021, "Time-uniform, nonparametric, nonasymptotic confidence
sequences", Annals of Statistics 49).

No λ is chosen: the wealth is split evenly over a grid of them at the start (the method of mixtures,
Robbins 1970), so that it does not depend on the order in which observations come, and grows at
nearly the best λ's rate, less log(FRACTIONS) at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

# What is bet of the wealth. Observations and bounds are within -1 and 1, so that less than half is
# never lost whole.
FRACTIONS = np.geomspace(0.49, 0.005, 12)


@dataclass(frozen=True)
class Evidence:
    """The logarithm of the wealth of each bet, and what it has seen."""

    log_wealth: tuple[float, ...] = (0.0,) * len(FRACTIONS)
    observations: int = 0
    total: float = 0.0

    @property
    def value(self) -> float:
        """The e-value: the wealth of all bets, of which 1 is the start."""
        return float(np.exp(log_mean_exp(np.array(self.log_wealth))))

    @property
    def mean(self) -> float:
        """Of what was observed; 0 of nothing."""
        return self.total / self.observations if self.observations else 0.0

    def after(self, observations: np.ndarray, bound: float = 0.0) -> Self:
        """The evidence against "the mean is at most `bound`", with more observations.

        Parameters
        ----------
        observations:
            float (n,), within -1 and 1; given those before, the mean of each is at most the bound
            if the claim is true.

        Raises
        ------
        ValueError
            An observation or the bound is outside -1 and 1.
        """
        if not (abs(bound) < 1 and (abs(observations) <= 1).all()):
            raise ValueError("observations and their bound are within -1 and 1")
        steps = np.log1p(np.outer(FRACTIONS, observations - bound)).sum(1)
        return type(self)(
            tuple((np.array(self.log_wealth) + steps).tolist()),
            self.observations + len(observations),
            self.total + float(observations.sum()),
        )


def log_mean_exp(logs: np.ndarray) -> np.ndarray:
    """Logarithm of the mean of the exponentials along the last axis, without overflow."""
    highest = logs.max(-1, keepdims=True)
    mean: np.ndarray = np.log(np.exp(logs - highest).mean(-1)) + highest[..., 0]
    return mean


def mean_bounds(observations: np.ndarray, error: float) -> tuple[float, float]:
    """Bounds of a mean that hold at all times together but for a chance of `error`.

    The bounds that no bet refutes, half of the error on either side; to 1e-4.
    """
    return (
        _lowest_tenable(observations, error / 2),
        -_lowest_tenable(-observations, error / 2),
    )


def _lowest_tenable(observations: np.ndarray, error: float) -> float:
    low, high = -1.0, 1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        refuted = Evidence().after(observations, middle).value >= 1 / error
        low, high = (middle, high) if refuted else (low, middle)
    return low
