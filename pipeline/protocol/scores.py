"""What models are compared by: their scores on one draw of resamples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.models import scorer
from pipeline.models.scorer import Sampled
from pipeline.randomness import generator

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Sampled", "Scorer"]


class Scorer(scorer.Scorer):
    """Scores the models of a comparison: equal seeds draw equal resamples."""

    def __init__(
        self, truth: np.ndarray, component: np.ndarray, classes: int, resamples: int, seed: int
    ) -> None:
        super().__init__(truth, component, classes, resamples, generator(seed, "comparison"))
