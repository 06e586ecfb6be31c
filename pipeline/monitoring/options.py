"""The options of monitoring. None shapes an output of a stage."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from pipeline.core.options import Options

# What a share may move at least, whatever the accepted batches had.
LEAST_SLACK = 0.02
CHANCE = 0.001
# How far the share of labels that the model confirms may fall below the expected share, as a part
# of that.
DISAGREED = 0.3


class DriftOptions(Options):
    """When tonight's data count as other data than the reference."""

    night_level: float = Field(
        default=0.01, gt=0, lt=1, description="chance that a night without change is noticed"
    )
    discovery_rate: float = Field(
        default=0.05, gt=0, lt=1, description="share of false alarms among the alarms of a year"
    )
    components: int = Field(
        default=500,
        ge=20,
        le=5000,
        description="components of either side that a test reads, at most",
    )
    permutations: int = Field(
        default=19_999, ge=99, le=10**6, description="permutations of a test, at most"
    )
    least_distance: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="distance of two distributions below which nothing is said",
    )
    least_separation: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="accuracy above a half by which a classifier tells them apart",
    )


class GateOptions(Options):
    """When a challenger takes the place of the model in use."""

    error: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="chance that ever a model is promoted that is no better",
    )
    fresh_share: float = Field(
        default=0.5, ge=0, le=1, description="share of `error` for components that landed since"
    )
    margin: float = Field(
        default=0.01, ge=0, lt=1, description="gain that is worth a change, 0 to 1"
    )
    tolerance: float = Field(
        default=0.01, gt=0, lt=1, description="loss up to which a model is called not worse, 0 to 1"
    )
    slice_tolerance: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="loss of a slice that holds a challenger, if it is no chance",
    )
    slice_level: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="chance that any slice's loss is called none by mistake",
    )
    slower: float = Field(default=1.5, gt=0, description="time to answer, as a multiple, at most")
    dearer: float = Field(
        default=3.0, gt=0, description="CPU-seconds to train, as a multiple, at most"
    )


class MonitoringOptions(Options):
    """How data are watched and models are let in."""

    attributes: tuple[str, ...] = Field(
        default=(), description="whose values are watched, such as a language that is no target"
    )
    drift: DriftOptions = Field(default=DriftOptions(), description="tests of tonight's data")
    gate: GateOptions = Field(default=GateOptions(), description="tests of tonight's model")


class Limits(Options):
    """Both ends are allowed."""

    low: float
    high: float

    def excludes(self, values: np.ndarray) -> np.ndarray:
        """bool (n,): which values are outside; NaN is not."""
        return np.asarray((values < self.low) | (values > self.high))


class Contract(Options):
    """What a source promises of each batch."""

    batches: int = Field(ge=1, description="accepted batches that it was learnt from")
    schema_: dict[str, str] = Field(
        alias="schema", description="column of the samples or of a modality → its type"
    )
    attributes: tuple[str, ...] = Field(description="that samples of every batch state")
    samples: Limits = Field(description="in a batch")
    presence: dict[str, Limits] = Field(description="modality → share of samples that have it")
    shares: dict[str, dict[str, Limits]] = Field(
        description="target, attribute or measurement → value → share of samples"
    )
    new_values: float = Field(
        default=LEAST_SLACK, ge=0, le=1, description="share that may have values not among these"
    )
    ranges: dict[str, Limits] = Field(description="measurement → what it may be in a sample")
    outside: float = Field(
        default=LEAST_SLACK, ge=0, le=1, description="share that may be outside of a range"
    )
    known: float = Field(ge=0, le=1, description="share that may bring nothing but known assets")
    contradicted: float = Field(
        default=LEAST_SLACK,
        ge=0,
        le=1,
        description="share that may be known, asset for asset, under another target",
    )
    disagreed: float = Field(
        default=DISAGREED,
        ge=0,
        le=1,
        description="by what part of the expected share the model in use may confirm fewer labels",
    )
    rejects: dict[str, float] = Field(description="stage → share of its rows that it may refuse")
    chance: float = Field(
        default=CHANCE, ge=1e-6, lt=1, description="that a batch as allowed is held by mistake"
    )
