"""compress@name: data/models/<model>, smaller and certified → data/compressed/<name>."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.folders import (
    CLEAN,
    COMPRESSED,
    CURATED,
    DATA,
    EVALUATION,
    FEATURES,
    MODELS,
)
from pipeline.params import Params
from pipeline.parts import artifact
from pipeline.parts.fingerprint import fingerprint
from pipeline.parts.manifest import manifest_digest
from pipeline.parts.summary import Summary
from pipeline.reporting.content import modules
from pipeline.reporting.inputs import ReportInputs
from pipeline.stages.work.compress import Compression
from pipeline.stages.work.slices import extra_inputs

PAGE = "index.html"


@dataclass(frozen=True)
class CompressSummary(Summary):
    """What the stage did, and what the model and what became of it cost where it ran.

    `costs` depends on the machine, so it stands in the run record and in no versioned output.
    """

    costs: dict[str, Any] = field(default_factory=dict)


def plan(params: Params, name: str, root: Path = Path(DATA)) -> artifact.ArtifactPlan:
    """Compress one model; nothing if neither it, its inputs nor the options changed.

    Raises
    ------
    PipelineError
        The model is not trained, or not evaluated.
    """
    from pipeline.reporting.section import page_templates

    options = params.compress[name]
    model = params.models[options.model].as_kinds(params.targets)
    student = options.student_of(model)
    begun = student.weights if "distil" in options.ways else {}
    sets = {used: params.features[used].modality for used in options.sets(model)}
    inputs = _report_inputs(params, sets, root)
    costs: dict[str, Any] = {}
    files = artifact.read_manifest(root / MODELS / options.model)["files"]
    cleaned = [stage.name for m in inputs.modalities if (stage := inputs.stage(f"{CLEAN}/{m}"))]
    tables = (
        CURATED,
        *(f"{FEATURES}/{used}" for used in sets),
        *dict.fromkeys([*cleaned, *extra_inputs(params.evaluate.group_by, root)]),
    )
    read = {
        **{f"model/{file}": files[file] for file in ("model.json", "model.safetensors")},
        EVALUATION: artifact.digest(root / EVALUATION / options.model),
        **{table: manifest_digest(root / table, params.predicted) for table in tables},
    }

    def compute(folder: Path) -> None:
        from pipeline.reporting.compression.page import dated_copy, render_compression

        job = Compression(
            folder=folder,
            name=name,
            model=model,
            options=options,
            evaluation=params.evaluate,
            seed=params.seed,
            sets=sets,
            root=root,
            inputs=read,
        )
        costs.update(job.run())
        page = render_compression(name, folder, inputs, params.report)
        (folder / PAGE).write_text(page, encoding="utf-8")
        dated_copy(name, page, costs)

    return artifact.ArtifactPlan(
        out=root / COMPRESSED / name,
        fingerprint=fingerprint(
            "compress",
            [
                "pipeline.stages.work.compress",
                "pipeline.reporting.compression.page",
                *model.modules,
                *student.modules,
                *modules(inputs.modalities),
            ],
            {
                "name": name,
                "compress": options.model_dump(mode="json"),
                "model": model.keyed,
                "modalities": sets,
                "evaluate": params.evaluate.model_dump(mode="json"),
                "picture": params.report.picture,
                "clip": params.report.clip,
                "gallery": params.report.gallery,
                "seed": params.seed,
            },
            begun | {path.name: path for path in page_templates("compression")},
            device="cpu",
        ),
        inputs=read,
        make=compute,
        count=lambda: CompressSummary(rows=1, costs=costs),
    )


def _report_inputs(params: Params, sets: dict[str, str], root: Path) -> ReportInputs:
    """Where the page finds the samples whose answers changed."""
    return ReportInputs(
        root=root,
        models=(),
        modalities=tuple(m for m in params.modalities if m in sets.values()),
        features=sets,
        targets=params.targets,
        params_digest="",
        confidence=params.evaluate.confidence,
    )
