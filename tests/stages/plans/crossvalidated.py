"""A small comparison on the synthetic world: two models, two folds, two seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.execution.options import ExecutionOptions
from pipeline.models.comparison.options import ComparisonOptions
from pipeline.parts.summary import Summary
from pipeline.reporting.options import ReportOptions as ReportOptions
from pipeline.stages.plans import crossvalidate
from pipeline.store.join import Joined
from tests.models.synthetic import SETS, joined, options
from tests.stages.plans.stored import params as some
from tests.stages.plans.stored import store_curated, store_features

MODELS = {
    "image": options(features=["pixels"], fusion="none", epochs=2),
    "early": options(fusion="early", epochs=2),
}


def store(root: Path) -> Joined:
    world = joined(subjects=48, absent=0.0)
    store_curated(root, world)
    for name in SETS:
        store_features(root, name, [world])
    return world


def params(workers: int | None = None, **changed: Any) -> Any:
    """Params with a comparison; `changed` changes the latter."""
    given = {
        "folds": 2,
        "seeds": 2,
        "inner": 3,
        "models": MODELS,
        "baseline": {"features": {"picture": "pixels", "words": "words"}},
        "resamples": 500,
        "shuffles": 100,
        **changed,
    }
    execution = {} if workers is None else {"executor": "processes", "workers": workers}
    return some(
        {},
        comparison=ComparisonOptions.model_validate(given),
        modalities=tuple(SETS.values()),
        report=ReportOptions(),
        execution=ExecutionOptions.model_validate(execution or {"executor": "serial"}),
    )


def train(given: Any) -> dict[str, Summary]:
    return {name: crossvalidate.plan(given, name).run() for name in given.comparison.models}
