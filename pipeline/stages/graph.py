"""Which stages there are, what each is for, what it reads and where it writes.

dvc.yaml and recipes/comparison.dvc.yaml spell the same out for DVC; a test holds them to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter

from pipeline.core.folders import (
    ASSETS,
    AUGMENTED,
    CLEAN,
    CODE,
    COMPARISON,
    COMPRESSED,
    CROSSVALIDATION,
    CURATE_COUNTS,
    CURATED,
    EVALUATION,
    FEATURES,
    INGEST_COUNTS,
    MODELS,
    PARAMS,
    PREDICTIONS,
    RAW,
    REPORTS,
    SAMPLES,
    VERIFICATION,
)
from pipeline.params import Params


@dataclass(frozen=True)
class Stage:
    """One stage of the graph.

    Parameters
    ----------
    section:
        The section of params.yaml whose names it fans out over; empty for one that stands alone.
    reads, writes:
        Folders and files below data/. Stages that fan out keep a folder for each name in there.
    compares:
        It is of comparison/dvc.yaml, which `dvc repro` passes over.
    """

    section: str = ""
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    compares: bool = False


TABLES = (SAMPLES, ASSETS, CURATED, CLEAN, AUGMENTED, FEATURES)
STAGES = {
    "code": Stage(writes=(CODE,)),
    "params": Stage(writes=(PARAMS,)),
    "fetch": Stage("fetch", writes=(RAW,)),
    "look": Stage("look", writes=(RAW,)),
    "download": Stage("download", writes=(RAW,)),
    "ingest": Stage(reads=(RAW,), writes=(SAMPLES, ASSETS, INGEST_COUNTS)),
    "clean": Stage("modalities", reads=(ASSETS,), writes=(CLEAN,)),
    "augment": Stage("modalities", reads=(CLEAN,), writes=(AUGMENTED,)),
    "extract": Stage("features", reads=(CLEAN, AUGMENTED), writes=(FEATURES,)),
    "curate": Stage(reads=(SAMPLES, CLEAN), writes=(CURATED, CURATE_COUNTS)),
    "train": Stage("models", reads=(CURATED, FEATURES), writes=(MODELS,)),
    "evaluate": Stage("models", reads=(CLEAN, CURATED, FEATURES, MODELS), writes=(EVALUATION,)),
    "compress": Stage(
        "compress", reads=(CLEAN, CURATED, FEATURES, MODELS, EVALUATION), writes=(COMPRESSED,)
    ),
    "predict": Stage("predict", reads=(SAMPLES, CLEAN, FEATURES, MODELS), writes=(PREDICTIONS,)),
    "trials": Stage("verification", reads=(CURATED, FEATURES), writes=(VERIFICATION,)),
    "report": Stage(
        reads=(*TABLES, INGEST_COUNTS, CURATE_COUNTS, MODELS, EVALUATION), writes=(REPORTS,)
    ),
    "crossvalidate": Stage(
        "comparison.models", reads=(CURATED, FEATURES), writes=(CROSSVALIDATION,), compares=True
    ),
    "compare": Stage(
        reads=(CURATED, FEATURES, CLEAN, CROSSVALIDATION), writes=(COMPARISON,), compares=True
    ),
}


def label(stage: str, item: str = "") -> str:
    """What records and messages call a stage: `ingest`, `clean/image`."""
    return f"{stage}/{item}" if item else stage


def items(params: Params, stage: str) -> tuple[str, ...]:
    """The names that a stage fans out over; the empty name alone for one that stands alone."""
    known = STAGES[stage]
    if known.compares and params.comparison is None:
        return ()
    return tuple(attrgetter(known.section)(params)) if known.section else ("",)


def labels(params: Params, compares: bool | None = None) -> list[str]:
    """Every stage, in the order of the flow: those of the comparison or the others, if asked."""
    return [
        label(name, item)
        for name, stage in STAGES.items()
        if compares in (None, stage.compares)
        for item in items(params, name)
    ]


def upstream(params: Params, stage: str, item: str = "") -> list[str]:
    """The labels of the stages that a stage reads from."""
    reads = set(STAGES[stage].reads)
    return [
        label(source, name)
        for source, known in STAGES.items()
        if reads.intersection(known.writes)
        for name in _items_read(params, stage, item, source)
    ]


def _items_read(params: Params, stage: str, item: str, source: str) -> Iterable[str]:
    """Of a stage that another reads from, the items that one item of that other needs."""
    section, above = STAGES[stage].section, STAGES[source].section
    if section == above:
        return [item]
    if section == "compress" and above == "models":
        return [params.compress[item].model]
    if section == "compress" and above == "features":
        return params.compress[item].sets(params.models[params.compress[item].model])
    if section == "verification" and above == "features":
        return params.verification[item].features
    if (section, above) == ("features", "modalities"):
        return [params.features[item].modality]
    if section.endswith("models") and above == "features":
        return attrgetter(section)(params)[item].features  # type: ignore[no-any-return]
    return items(params, source)
