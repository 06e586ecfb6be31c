"""Evidence that a mean is above a bound, which may be looked at after every observation.

A gambler who bets against "the mean is at most m" stakes a fraction f of their wealth on each
observation x, from -1 to 1, and has 1 - f + f (1 + x) / (1 + m) of it afterwards. If the claim is
true no bet gains on average, so the wealth is an e-process: its expectation stays at most 1, and
the chance that it ever reaches 1/p is at most p (Ville 1939). Reject at 1/p whenever you like; no
sample size is planned (Waudby-Smith & Ramdas 2024, "Estimating means of bounded random variables by
betting", JRSS B 86, arXiv:2010.09686; Ramdas, Grünwald, Vovk & Shafer 2023, "Game-theoretic
statistics and safe anytime-valid inference", Statistical Science 38; Howard, Ramdas, McAuliffe &
Sekhon 2021, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics
49).

No f is chosen: the wealth is split evenly over a grid of them at the start (the method of mixtures,
Robbins 1970), so that it does not depend on the order in which observations come, and grows at
nearly the best one's rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

# What is staked of the wealth, so that it is never lost whole.
FRACTIONS = np.geomspace(0.98, 0.005, 14)


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
        won = np.log1p(np.outer(FRACTIONS, (observations - bound) / (1 + bound)))
        return type(self)(
            tuple((np.array(self.log_wealth) + won.sum(1)).tolist()),
            self.observations + len(observations),
            self.total + float(observations.sum()),
        )


def log_mean_exp(logs: np.ndarray) -> np.ndarray:
    """Logarithm of the mean of the exponentials along the last axis, without overflow."""
    highest = logs.max(-1, keepdims=True)
    mean: np.ndarray = np.log(np.exp(logs - highest).mean(-1)) + highest[..., 0]
    return mean
