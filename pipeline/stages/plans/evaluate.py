"""evaluate@model: data/models/<model> on held-out splits → data/evaluation/<model>."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.core.files.documents import reading
from pipeline.core.folders import CURATED, DATA, EVALUATION, FEATURES, MODELS
from pipeline.core.options import Options
from pipeline.core.registry import locate
from pipeline.modalities import modality_of
from pipeline.params import Params
from pipeline.parts import artifact
from pipeline.parts.fingerprint import fingerprint
from pipeline.parts.manifest import manifest_digest
from pipeline.parts.summary import Summary
from pipeline.stages.work.evaluate import evaluate_model
from pipeline.stages.work.slices import extra_inputs


@dataclass(frozen=True)
class EvaluateSummary(Summary):
    """What the stage did, and how long the test split took to predict: `samples`, `seconds`.

    `inference` depends on the machine, so it stands in the run record and in no versioned output.
    """

    inference: dict[str, float] = field(default_factory=dict)


def plan(params: Params, name: str, root: Path = Path(DATA)) -> artifact.ArtifactPlan:
    """Measure one model; nothing if neither it, its inputs nor the options changed.

    Raises
    ------
    PipelineError
        The model is not trained, or `group_by` names what no sample has.
    """
    sets = {used: params.features[used].modality for used in params.models[name].features}
    out = root / EVALUATION / name
    options = params.models[name].as_kinds(params.targets)
    model = artifact.read_manifest(root / MODELS / name)["files"]
    explaining = [locate("models/explanation", "gradients")] if params.evaluate.attributed else []
    inference: dict[str, float] = {}
    words = _words(params, name)

    def compute(folder: Path) -> None:
        inference.update(
            evaluate_model(folder, name, options, params.evaluate, params.seed, sets, root, words)
        )

    return artifact.ArtifactPlan(
        out=out,
        fingerprint=fingerprint(
            "evaluate",
            [
                "pipeline.stages.work.evaluate",
                *options.modules,
                *explaining,
            ],
            {
                "model": name,
                "evaluate": params.evaluate.model_dump(mode="json"),
                "seed": params.seed,
            },
            device="cpu",
        ),
        inputs={
            **{f"model/{file}": model[file] for file in ("model.json", "model.safetensors")},
            **{
                table: manifest_digest(root / table, params.predicted)
                for table in (
                    CURATED,
                    *(f"{FEATURES}/{used}" for used in sets),
                    *extra_inputs(params.evaluate.group_by, root),
                )
            },
        },
        make=compute,
        count=lambda: EvaluateSummary(rows=_rows(out), inference=inference),
    )


def _rows(out: Path) -> int:
    """Samples that were predicted."""
    path = out / "predictions.parquet"
    with reading(path):
        samples = pq.read_table(path, columns=["sample_id"])["sample_id"]
    return int(pc.count_distinct(samples).as_py())


def _words(params: Params, name: str) -> dict[str, tuple[str, Options]]:
    """The feature sets by which a model is to understand names of classes, as words; or none.

    What they do is keyed by what they made, as the model's inputs are.
    """
    model = params.models[name]
    if model.alignment is None or not params.evaluate.zero_shot:
        return {}
    used = {feature_set: params.features[feature_set] for feature_set in model.features}
    return {
        feature_set: (section.encoder, section.options)
        for feature_set, section in used.items()
        if modality_of(section.modality).INLINE
    }
