"""The knobs of a model and of its evaluation. All of them are keyed."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from pipeline import registry
from pipeline.errors import PipelineError
from pipeline.options import Options

FUSIONS = "models/fusion"
# The kinds of target that there is a head and a loss for.
TRAINABLE = ("binary", "multiclass", "ordinal")


class TowerOptions(Options):
    """The network of one feature set, the same for all sets of a model."""

    hidden: int = Field(default=256, ge=1, le=8192, description="numbers of the hidden layer")
    width: int = Field(
        default=128, ge=1, le=4096, description="numbers of the token that comes out"
    )
    dropout: float = Field(default=0.3, ge=0, lt=1, description="share of the hidden layer dropped")
    sequence: Literal["convolution", "gru"] = Field(
        default="convolution", description="the network that reads a feature set of frames"
    )


class TaskOptions(Options):
    """How much one target counts in the loss, and how its examples are weighed."""

    weight: float = Field(default=1.0, gt=0, le=1000, description="factor of this task's loss")
    classes: Literal["balanced", "as_is"] = Field(
        default="balanced", description="whether each class, or each example, counts the same"
    )
    examples: Literal["component", "sample"] = Field(
        default="sample",
        description="what counts as one example: a component, whose samples then share its "
        "weight, suits a target that is the same for all of them; a sample, any other",
    )


class ModelOptions(Options):
    """One model: which feature sets it reads, how it joins them, how it is trained."""

    features: tuple[str, ...] = Field(min_length=1, description="names of feature sets")
    fusion: str = Field(default="none", description="file name in pipeline/models/fusion")
    fusion_options: dict[str, Any] = Field(
        default_factory=dict, description="the fusion's own knobs"
    )
    tower: TowerOptions = Field(
        default_factory=TowerOptions, description="the network of each feature set"
    )
    tasks: dict[str, TaskOptions] = Field(min_length=1, description="targets to learn, by name")
    primary: str = Field(description="the task by which models are compared")
    modality_dropout: float = Field(
        default=0.4, ge=0, lt=1, description="chance that training hides a modality of an example"
    )
    views: int = Field(
        default=0, ge=0, le=100, description="augmented views that training draws from"
    )
    epochs: int = Field(
        default=24, ge=1, le=10_000, description="passes over the train split at most"
    )
    patience: int = Field(
        default=8,
        ge=1,
        le=10_000,
        description="epochs without a better validation before it stops",
    )
    monitor: Literal["macro_f1", "loss"] = Field(
        default="macro_f1",
        description="what on the validation split must get better: the tasks' mean, by weight",
    )
    batch_size: int = Field(default=256, ge=1, le=65_536, description="examples a step")
    learning_rate: float = Field(
        default=2e-3, gt=0, le=1, description="AdamW's step size at its peak"
    )
    weight_decay: float = Field(default=1e-2, ge=0, le=10, description="AdamW's decay")
    label_smoothing: float = Field(
        default=0.1, ge=0, lt=1, description="probability spread evenly over the classes"
    )
    device: Literal["cpu", "cuda"] = Field(default="cpu", description="where training computes")

    @model_validator(mode="before")
    @classmethod
    def _complete_fusion(cls, data: Any) -> Any:
        """Check the fusion's own options, and fill in their defaults, which are keyed too."""
        if not isinstance(data, dict):
            return data
        given = data.get("fusion_options", {})
        try:
            module = registry.load(FUSIONS, str(data.get("fusion", "none")))
            complete = module.Options.model_validate(given).model_dump(mode="json")
        except PipelineError as error:
            raise ValueError(f"fusion: {error}") from None
        except ValidationError as error:
            wrong = [
                f"fusion_options.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()
            ]
            raise ValueError("; ".join(wrong)) from None
        return {**data, "fusion_options": complete}

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.primary not in self.tasks:
            raise ValueError(f"primary: '{self.primary}' is not one of tasks: {list(self.tasks)}")
        if len(set(self.features)) < len(self.features):
            raise ValueError(f"features: one is named twice in {list(self.features)}")
        module = registry.load(FUSIONS, self.fusion)
        if hasattr(module, "check"):
            options = module.Options(**self.fusion_options)
            module.check(len(self.features), self.tower.width, options)
        return self


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
        description="targets or attributes by whose values the test is cut; presence, duration",
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
        description="test samples whose answers are traced back to features; takes captum",
    )
