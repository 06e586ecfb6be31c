"""train@model: data/curated and data/features/<set> → data/models/<model>."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_file
from pipeline.core.files.documents import document
from pipeline.core.files.lock import lock_path
from pipeline.core.folders import CURATED, DATA, FEATURES, MODELS
from pipeline.execution.probe import processor_on
from pipeline.execution.process_group import run_distributed
from pipeline.models.saving import WEIGHTS
from pipeline.params import Params
from pipeline.parts import artifact
from pipeline.parts.fingerprint import fingerprint
from pipeline.parts.manifest import manifest_digest
from pipeline.parts.summary import Summary
from pipeline.stages.work.train import Training
from pipeline.store.model_card import CARD, Card

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainSummary(Summary):
    """What the stage did, and how training went: `data_wait` and the like.

    `absent` samples have none of the model's modalities, which is no refusal. `training` depends on
    the machine, so it stands in the run record and in no versioned output.
    """

    absent: int = 0
    training: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainPlan(artifact.ArtifactPlan):
    """A model that is to be, and the state of its training, which goes once the model stands."""

    @property
    def snapshot(self) -> Path:
        """What a killed training goes on from."""
        return Path(".pipeline", "snapshots", f"{lock_path(self.out)}.pt")

    def run(self) -> Summary:
        summary = super().run()
        self.snapshot.unlink(missing_ok=True)
        return summary


def plan(params: Params, name: str, root: Path = Path(DATA)) -> TrainPlan:
    """Train one model; nothing if neither its options nor its inputs changed.

    Raises
    ------
    PipelineError
        There is nothing to learn from.
    """
    options = params.models[name]
    options = options.as_kinds({task: params.targets[task] for task in options.tasks})
    sets = {used: params.features[used].modality for used in options.features}
    out = root / MODELS / name
    tables = (CURATED, *(f"{FEATURES}/{used}" for used in sets))
    inputs = {table: manifest_digest(root / table, params.predicted) for table in tables}
    frozen = Path(options.towers_from) if options.towers_from else None
    if frozen is not None:
        inputs |= {f"towers_from/{path.name}": digest_file(path) for path in _model_files(frozen)}
    training: dict[str, Any] = {}

    def compute(folder: Path) -> None:
        job = Training(
            folder=folder,
            options=options,
            sets=dict(sets),
            seed=params.seed,
            root=root,
            inputs=dict(inputs),
            snapshot=planned.snapshot,
            key=planned.key,
            processor=planned.fingerprint.processor,
            frozen=frozen,
        )
        spent = job.run(
            lambda work, size: run_distributed(work, size, params.execution, options.device)
        )
        training.update(spent)
        if "untrained" in spent:
            LOG.warning(
                "train/%s: it stays untrained and has no figures: %s", name, spent["untrained"]
            )
        if "diverged" in spent:
            print(
                f"train/{name}: training diverged in epoch {spent['diverged']['epoch']}; "
                f"the best weights before are kept. A lower learning_rate, or clip, may help",
                file=sys.stderr,
            )

    planned = TrainPlan(
        out=out,
        fingerprint=fingerprint(
            "train",
            ["pipeline.stages.work.train", *options.modules],
            {
                "model": options.keyed,
                "tasks": list(options.tasks),
                "modalities": sets,
                "seed": params.seed,
            },
            options.weights,
            processor=processor_on(options.device, params.execution),
        ),
        inputs=inputs,
        make=compute,
        count=lambda: _count(out, training),
    )
    return planned


def _model_files(folder: Path) -> list[Path]:
    """Those of a model that `pipeline freeze` wrote.

    Raises
    ------
    PipelineError
        One is missing.
    """
    paths = [folder / CARD, folder / WEIGHTS]
    if missing := [path.name for path in paths if not path.is_file()]:
        raise PipelineError(
            f"towers_from: {folder} holds no {' and no '.join(missing)}: `pipeline freeze MODEL "
            f"--out {folder}` writes them"
        )
    return paths


def _count(out: Path, training: dict[str, Any]) -> TrainSummary:
    """Samples that were learnt from or stopped by, and those in which the model sees nothing."""
    samples = document(out / CARD, Card).samples.values()
    return TrainSummary(
        rows=sum(split.seen for split in samples),
        absent=sum(split.unseen for split in samples),
        training=training,
    )
