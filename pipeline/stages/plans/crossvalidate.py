"""crossvalidate@model: data/curated and data/features/<set> → data/crossvalidation/<model>."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_json
from pipeline.core.folders import CROSSVALIDATION, CURATED, DATA, FEATURES
from pipeline.execution.choose import chooser
from pipeline.execution.probe import processor_on
from pipeline.models.comparison.options import FoldOptions
from pipeline.params import Params
from pipeline.parts.fingerprint import fingerprint
from pipeline.parts.manifest import manifest_digest
from pipeline.parts.part import Row, row_key
from pipeline.parts.plan import PartsPlan
from pipeline.stages.work.crossvalidate import Crossvalidate

# Rows are few and each is long: every training is a part of its own.
CUT = (1, 2**40)


def plan(params: Params, name: str, root: Path = Path(DATA)) -> PartsPlan:
    """Train one model for every fold and seed; what is trained already stands.

    Raises
    ------
    PipelineError
        params.yaml has no comparison.
    """
    comparison = params.comparison
    if comparison is None:
        raise PipelineError("there is nothing to compare: params.yaml has no section `comparison`")
    options = comparison.models[name].as_kinds(params.targets)
    folds = FoldOptions.model_validate(comparison.model_dump(include=set(FoldOptions.model_fields)))
    sets = {used: params.features[used].modality for used in options.features}
    identity = fingerprint(
        "crossvalidate",
        ["pipeline.stages.work.crossvalidate", *options.modules],
        {
            "model": options.keyed,
            "tasks": list(options.tasks),
            "modalities": sets,
            "folds": folds.folds,
            "inner": folds.inner,
            "seed": params.seed,
        },
        options.weights,
        processor=processor_on(options.device, params.execution),
    )
    tables = [root / CURATED, *(root / FEATURES / used for used in sets)]

    def inputs() -> list[str]:
        return [manifest_digest(table, params.predicted) for table in tables]

    def rows() -> Iterator[Row]:
        digests = inputs()
        for seed in range(folds.seeds):
            for fold in range(folds.folds):
                key = row_key(seed, fold, digests)
                digest = digest_json([seed, fold])
                yield Row(digest, key, "folds", f"seed-{seed}", 0, spec=(seed, fold))

    return PartsPlan(
        out=root / CROSSVALIDATION / name,
        work=Crossvalidate(
            name, options, folds, tuple(sets.items()), params.seed, root.resolve(), identity
        ),
        rows=rows,
        reads=lambda: [str(folds.seeds), *inputs()],
        cut=CUT,
        executor=chooser(params.execution, options.device),
        reject_limit=0.0,
    )
