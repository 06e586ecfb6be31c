"""Exact Shapley values of a few modalities."""

from __future__ import annotations

from math import factorial

import numpy as np


def shapley(values: np.ndarray) -> np.ndarray:
    """Each modality's part of the whole: float (2^m, …) to float (m, …).

    values: what each subset of the m modalities is worth, in the order of
    `subsets.all_subsets` (bit i of the place says whether modality i is in it). φᵢ is the mean
    gain by i over all orders in which modalities may come: Σ |S|! (m - |S| - 1)! / m! (v(S + i) -
    v(S)) over the S without i (Shapley 1953, doi:10.1515/9781400881970-018).
    They add up to v(all) - v(none).
    """
    m = len(values).bit_length() - 1
    parts = []
    for i in range(m):
        without = [place for place in range(len(values)) if not place >> i & 1]
        sizes = [place.bit_count() for place in without]
        weights = [factorial(k) * factorial(m - k - 1) / factorial(m) for k in sizes]
        gains = values[[place | 1 << i for place in without]] - values[without]
        parts.append(np.tensordot(weights, gains, 1))
    return np.stack(parts)
