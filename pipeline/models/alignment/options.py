"""The options of the space that a model's modalities share."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.core.options import Options

# What the objective is called beside the tasks: in curves, figures and losses.
ALIGNMENT = "alignment"


class AlignmentOptions(Options):
    """How modalities of one sample are drawn together, and how much that counts."""

    loss: Literal["infonce", "sigmoid"] = Field(
        default="infonce",
        description="infonce: each picks its partner out of the batch; sigmoid: each pair of the "
        "batch is judged by itself",
    )
    dimension: int = Field(default=128, ge=2, le=4096, description="numbers of a vector")
    temperature: float = Field(
        default=0.07, ge=0.01, le=10, description="what cosines are divided by at first; learned"
    )
    weight: float = Field(default=1.0, gt=0, le=1000, description="factor of the loss")
    reconstruction: float = Field(
        default=0.0,
        ge=0,
        le=1000,
        description="weight of telling each feature set from the vectors of the other modalities",
    )
