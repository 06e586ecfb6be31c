"""Vectors as Gaussian models like them: standardised, in principal components, of length 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Columns that vary less than this are of no use: dead units of a network.
STILL = 1e-6


@dataclass(frozen=True)
class Projection:
    """x → (x - centre) @ axes, scaled to length 1. centre: (D,); axes: (D, d)."""

    centre: np.ndarray
    axes: np.ndarray

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """float64 (n, d) of (n, D)."""
        projected: np.ndarray = unit((vectors - self.centre) @ self.axes)
        return projected


def fit_projection(vectors: np.ndarray, dimensions: int) -> Projection:
    """From train vectors, (n, D): each column to deviation 1, then the d largest components.

    Scaling to length 1 makes vectors of networks nearly Gaussian (Garcia-Romero & Espy-Wilson,
    Interspeech 2011).
    """
    values = vectors.astype(np.float64)
    centre, deviation = values.mean(0), values.std(0)
    scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > STILL)
    _, axes = np.linalg.eigh(np.cov((values - centre) * scale, rowvar=False, ddof=0))
    return Projection(centre, scale[:, None] * axes[:, ::-1][:, :dimensions])


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, float64; those of zeros stay."""
    vectors = vectors.astype(np.float64)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: np.ndarray = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
    return scaled
