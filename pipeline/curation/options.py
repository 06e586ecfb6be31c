"""The options of curation."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.core.options import Options as Base

Join = Literal["near", "equal", "none"]


class Ratios(Base):
    """Share of the components in each split; the three sum to 1."""

    train: float = Field(
        default=0.7, gt=0, le=1, description="Share of the components to learn from."
    )
    validation: float = Field(default=0.15, ge=0, lt=1, description="Share to choose and stop by.")
    test: float = Field(default=0.15, ge=0, lt=1, description="Share to measure on.")

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train, validation and test sum to {total:g}, not to 1")
        return self


class CurationOptions(Base):
    """What joins groups, how components are split, and what is set aside."""

    join_on: dict[str, Join] = Field(
        default_factory=dict,
        description="By modality, which assets join two groups: `equal` (the same bytes, or the "
        "same once cleaned), `near` (equal, or perceptual hashes at most near_bits apart), `none`. "
        "A modality that is not named joins on equal.",
    )
    near_bits: int = Field(
        8, ge=0, le=16, description="Largest Hamming distance of near assets, in bits of 64."
    )
    min_set_bits: int = Field(
        16,
        ge=0,
        le=32,
        description="Fewest bits, of 64, that a perceptual hash has set and unset to be compared. "
        "Hashes of flat, thin or symmetric pictures have fewer, and collide with anything: these "
        "join on equal alone.",
    )
    max_component_share: float = Field(
        0.2,
        gt=0,
        le=1,
        description="Largest share of the samples in one component of several groups; curation "
        "fails beyond it, since such a component can't be split.",
    )
    ratios: Ratios = Field(
        default=Ratios(),
        description="Shares of the splits, those that the data names included; where balanced, "
        "what the data names of one beyond its share is missing in the others by one factor.",
    )
    splits: Literal["balanced", "hashed"] = Field(
        "balanced",
        description="How components without a given split get one. `balanced`: each where samples, "
        "components, sizes, modalities and classes are scarcest; few components need it. `hashed`: "
        "by the hash of a name alone, so that no component's split depends on another's; with "
        "hundreds of components the ratios come about by themselves.",
    )
    on_leak: Literal["fail", "regroup"] = Field(
        "fail",
        description="What to do where the splits that the data brings tear a component apart: "
        "fail, or regroup the component into the first of test, validation, train that it has.",
    )
    min_components_per_class: int = Field(
        5,
        ge=1,
        description="Fewest components of a class. The targets of smaller classes, and of those "
        "without a component in train, are emptied.",
    )

    reject_limit: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Largest share of the samples that may be refused: those that lost every "
        "modality, and those of rare classes alone. Those without a target are left out uncounted.",
    )

    def join(self, modality: str) -> Join:
        return self.join_on.get(modality, "equal")
