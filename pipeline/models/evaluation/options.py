"""The options of an evaluation. All of them are keyed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.core.options import Options

# Slices of every project; a target or an attribute of the same name goes before.
PRESENCE, SOURCE = "presence", "source"
# What some modality's cleaning measures, in seconds.
DURATION = "duration"


class EvaluationOptions(Options):
    """How models are measured."""

    resamples: int = Field(
        default=1000, ge=100, le=100_000, description="bootstrap resamples over components"
    )
    confidence: float = Field(default=0.95, gt=0, lt=1, description="mass of the intervals")
    bins: int = Field(
        default=15, ge=1, le=1000, description="equal-width bins of the calibration error"
    )
    group_by: tuple[str, ...] = Field(
        default=(),
        description="targets or attributes by whose values the test is cut; presence, source, "
        "duration",
    )
    draws: int = Field(
        default=3,
        ge=0,
        le=100,
        description="random draws at each rate of the robustness curves; 0: no curves",
    )
    attributed: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description="test samples whose answers are traced back to features; takes captum. Nothing "
        "is traced if the primary task is not multiclass, or a feature set holds ids of words",
    )
    zero_shot: tuple[str, ...] = Field(
        default=(),
        exclude_if=lambda targets: not targets,
        description="targets of one class a sample whose class names, as words, are matched with "
        "what is seen and heard, for models with an alignment",
    )
    label_shares: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        default=(),
        exclude_if=lambda shares: not shares,
        description="shares of the train split's components by whose labels classifiers of each "
        "target of zero_shot are trained, from an alignment's towers and from none",
    )
