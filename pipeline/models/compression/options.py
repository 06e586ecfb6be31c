"""The options of a compression. All of them are keyed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator

from pipeline.core.options import Options
from pipeline.models.options import ModelOptions

Way = Literal["distil", "prune", "quantise"]
# What of a tower is a size, and so halved in a student of which nothing is said.
SIZES = ("width", "hidden")


class CompressionOptions(Options):
    """What is done to a model, in which order, and how much worse it may become."""

    model: str = Field(description="the model of `models` that is compressed")
    ways: tuple[Way, ...] = Field(
        default=("distil", "prune", "quantise"), description="what is done, in this order"
    )
    margin: float = Field(
        default=1.0,
        gt=0,
        le=100,
        description="points, hundredths of the primary task's first figure, that the result may "
        "be worse by, for certain, and still be offered as a model",
    )
    student: dict[str, Any] = Field(
        default_factory=dict,
        description="options of the model in which the distilled student differs; left out, its "
        "towers are half as wide",
    )
    temperature: float = Field(
        default=2.0, gt=0, le=100, description="what softens the answers that are learned from"
    )
    soft: float = Field(
        default=0.9,
        ge=0,
        le=1,
        description="share of the loss that compares with the model's answers, not with the truth",
    )
    pruned: float = Field(
        default=0.5, gt=0, lt=1, description="share of the units of each hidden layer cut out"
    )
    epochs: int = Field(
        default=8, ge=1, le=10_000, description="passes at most that mend what pruning cut"
    )
    pace: float = Field(
        default=0.1, gt=0, le=1, description="their step size, as a share of the model's"
    )
    integers: Literal["dynamic", "static"] = Field(
        default="dynamic",
        description="whether the scales of activations are taken from each batch, or once from "
        "the train split",
    )
    calibration: int = Field(
        default=256,
        ge=1,
        le=100_000,
        description="train samples, at most, that static scales are taken from",
    )

    @field_validator("ways")
    @classmethod
    def _once_each(cls, ways: tuple[Way, ...]) -> tuple[Way, ...]:
        if not ways or len(set(ways)) < len(ways):
            raise ValueError("name one way or more, each once")
        if "quantise" in ways[:-1]:
            raise ValueError("quantise comes last: what is of whole numbers is trained no more")
        return ways

    def student_of(self, model: ModelOptions) -> ModelOptions:
        """The options of the student of a model.

        Raises
        ------
        ValueError
            `student` does not fit the model.
        """
        whole = model.model_dump(mode="json")
        # Kinds of targets that are not said are those of the project's targets.
        whole["tasks"] = model.model_dump(mode="json", exclude_unset=True)["tasks"]
        if not self.student:
            towers = {name: _halved(tower) for name, tower in whole["towers"].items()}
            return ModelOptions.model_validate(
                {**whole, "tower": _halved(whole["tower"]), "towers": towers}
            )
        differences = dict(self.student)
        if isinstance(differences.get("tower"), Mapping) and "kind" not in differences["tower"]:
            differences["tower"] = {**whole["tower"], **differences["tower"]}
        if "fusion" in differences:
            whole["fusion_options"] = {}
        if differences.keys() & {"tasks", "primary"}:
            raise ValueError("a student has the tasks of its model: leave out tasks and primary")
        return ModelOptions.model_validate({**whole, **differences})

    def sets(self, model: ModelOptions) -> tuple[str, ...]:
        """The feature sets that are read: those of the student, then the model's others."""
        return tuple(dict.fromkeys((*self.student_of(model).features, *model.features)))


def _halved(tower: Mapping[str, Any]) -> dict[str, Any]:
    if tower["kind"] == "identity":  # its width is the set's
        return dict(tower)
    halved = {name: max(tower[name] // 2, 1) for name in SIZES if name in tower}
    inner = {name: _halved(each) for name, each in tower.items() if isinstance(each, Mapping)}
    return {**tower, **halved, **inner}
