"""Calibration by one number, fitted on samples that were held out (Guo et al. 2017, 1706.04599)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

# A temperature beyond these says that the samples are too few to tell.
LOWEST, HIGHEST = 0.1, 10.0


def scaled(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(log p / T): float32 (n, classes). No order of classes changes."""
    import numpy as np

    logs = np.log(np.maximum(probabilities.astype(np.float64), 1e-12)) / temperature
    logs -= logs.max(1, keepdims=True)
    exponents = np.exp(logs)
    shares: np.ndarray = (exponents / exponents.sum(1, keepdims=True)).astype(np.float32)
    return shares


def fit(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """The temperature of least mean negative log-likelihood; 1 where no truth is known.

    probabilities: (n, classes); truth: int (n,), -1 where it is not known.
    """
    import numpy as np
    from scipy.optimize import minimize_scalar

    known = np.flatnonzero(truth >= 0)
    if not len(known):
        return 1.0

    def loss(log_temperature: float) -> float:
        shares = scaled(probabilities[known], float(np.exp(log_temperature)))
        right = shares[np.arange(len(known)), truth[known]].astype(np.float64)
        return float(-np.log(np.maximum(right, 1e-12)).mean())

    bounds = (float(np.log(LOWEST)), float(np.log(HIGHEST)))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))
