"""The options of the comparison. All of them are keyed."""

from __future__ import annotations

import math
from typing import Self

from pydantic import Field, model_validator

from pipeline.core.options import Options as Base
from pipeline.models.options import ModelOptions


class FoldOptions(Base):
    """How samples are dealt out, again and again, to learn from and to be judged on."""

    folds: int = Field(5, ge=2, le=50, description="outer folds; every sample is judged once")
    seeds: int = Field(5, ge=1, le=100, description="times that each fold is trained, with others "
                       "held out and other initial weights")  # fmt: skip
    inner: int = Field(
        6, ge=2, le=50, description="one of so many shares of the training folds is held out to "
        "scale by and to choose by"
    )  # fmt: skip


class BaselineOptions(Base):
    """Logistic regression on frozen features, as one would try first in a notebook."""

    C: float = Field(
        0.01, gt=0, le=1e6, description="inverse strength of scikit-learn's L2 penalty"
    )
    features: dict[str, str] = Field(
        min_length=1,
        description="name → feature set; they are also joined, and their probabilities averaged",
    )


class ComparisonOptions(FoldOptions):
    """Which models are compared, and how."""

    models: dict[str, ModelOptions] = Field(min_length=1, description="name → model, as in models")
    baseline: BaselineOptions
    resamples: int = Field(10_000, ge=100, le=100_000, description="bootstrap resamples")
    confidence: float = Field(0.95, gt=0, lt=1, description="mass of the intervals")
    bins: int = Field(15, ge=1, le=1000, description="equal-width bins of the calibration error")
    shuffles: int = Field(
        1000, ge=100, le=100_000, description="shuffled answers that the leak probe is held against"
    )

    @model_validator(mode="after")
    def _same_task(self) -> Self:
        primaries = {name: model.primary for name, model in self.models.items()}
        if len(set(primaries.values())) > 1:
            raise ValueError(f"models: they are compared by one task, but have {primaries}")
        return self

    @model_validator(mode="after")
    def _tell_apart(self) -> Self:
        """The smallest p-value that resamples can give, times the number of pairs, must convince.

        A fusion and the choice are each held against the best single, baseline and fusion.
        """
        pairs = 3 * len(self.models) + 3
        least = math.ceil(2 * pairs / (1 - self.confidence))
        if self.resamples < least:
            raise ValueError(
                f"resamples: no difference between {len(self.models)} models could be sure at a "
                f"confidence of {self.confidence:g} with fewer than {least}"
            )
        return self

    @property
    def task(self) -> str:
        """The task by which models are compared."""
        return next(iter(self.models.values())).primary
