"""The options of a verification. All of them are keyed."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.core.options import Options as Base

Method = Literal["cosine", "plda", "logistic"]
# Subsets of a fusion's systems are calibrated each, for trials that lack the others' features.
MOST_FUSED = 4
GROUP = "group"


class SystemOptions(Base):
    """How likeness is scored."""

    features: tuple[str, ...] = Field(
        min_length=1, description="feature sets; several are fused as one vector, end to end"
    )
    method: Method = Field(
        "plda",
        description="cosine (nothing is learnt), plda (Gaussians within and between people) or "
        "logistic (regression on pairs)",
    )
    dimensions: int = Field(
        32, ge=1, le=1024, description="principal components that plda and logistic see, at most"
    )
    copied: float | None = Field(
        None, description="a threshold of the raw score from elsewhere, to see what it would do"
    )

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        if self.method == "cosine" and len(self.features) > 1:
            raise ValueError(
                "cosine takes one feature set, since several differ in scale: take plda or logistic"
            )
        return self


class VerificationOptions(Base):
    """Who is verified, by which systems, on which trials, and what an error costs."""

    people: str = Field(
        GROUP, description="what names a sample's person: group, or a target or an attribute"
    )
    content: str | None = Field(
        None,
        description="target or attribute that says what is said or shown: impostors are drawn "
        "equal in it, and different",
    )
    systems: dict[str, SystemOptions] = Field(min_length=1, description="name → system")
    fusions: dict[str, tuple[str, ...]] = Field(
        {}, description="name → systems whose scores are fused by logistic regression"
    )
    answers: str = Field(
        "", description="system or fusion that answers; the last fusion, or system, if left out"
    )
    folds: int = Field(
        5,
        ge=3,
        le=50,
        description="folds of people; each is tested by what the others were learnt and "
        "calibrated on",
    )
    seeds: int = Field(
        3, ge=1, le=100, description="times that people are dealt out and trials drawn anew"
    )
    enrolled: tuple[int, ...] = Field(
        (1,), min_length=1, description="samples that a person is known by; each is measured"
    )
    clips: int = Field(60, ge=2, description="samples of a person that trials are of, at most")
    impostors: int = Field(4, ge=1, description="others whom each probe is held against")
    prior: float = Field(
        0.05, gt=0, lt=1, description="share of claims that are expected to be true"
    )
    miss_cost: float = Field(1.0, gt=0, description="what it costs to refuse the person")
    false_cost: float = Field(1.0, gt=0, description="what it costs to accept another")
    resamples: int = Field(1000, ge=100, le=100_000, description="bootstrap resamples")
    confidence: float = Field(0.95, gt=0, lt=1, description="mass of the intervals")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if twice := sorted(self.systems.keys() & self.fusions.keys()):
            raise ValueError(f"fusions: {', '.join(twice)} names a system already")
        for name, members in self.fusions.items():
            unknown = [member for member in members if member not in self.systems]
            if unknown:
                raise ValueError(f"fusions.{name}: there is no system {', '.join(unknown)}")
            if not 2 <= len(set(members)) == len(members) <= MOST_FUSED:
                raise ValueError(f"fusions.{name}: name 2 to {MOST_FUSED} systems, each once")
        if self.answers and self.answers not in self.members:
            raise ValueError(f"answers: there is no system or fusion {self.answers}")
        if min(self.enrolled) < 1 or sorted(set(self.enrolled)) != list(self.enrolled):
            raise ValueError("enrolled: give whole numbers from 1, ascending, each once")
        return self

    @property
    def members(self) -> dict[str, tuple[str, ...]]:
        """System or fusion → the systems whose scores it joins."""
        return {name: (name,) for name in self.systems} | self.fusions

    def columns(self, name: str) -> list[int]:
        """Places, among the systems, of those whose scores a system or fusion joins."""
        systems = list(self.systems)
        return [systems.index(member) for member in self.members[name]]

    @property
    def answering(self) -> str:
        """The system or fusion that answers."""
        return self.answers or list(self.members)[-1]

    @property
    def features(self) -> tuple[str, ...]:
        """The feature sets that are read, each once."""
        return tuple(dict.fromkeys(n for each in self.systems.values() for n in each.features))

    @property
    def threshold(self) -> float:
        """The log-likelihood ratio from which accepting costs less (Bayes' decision)."""
        return math.log(self.false_cost * (1 - self.prior) / (self.miss_cost * self.prior))
