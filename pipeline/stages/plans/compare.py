"""compare: data/crossvalidation/<model> → data/comparison, which model is better and is it sure."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.folders import CLEAN, COMPARISON, CROSSVALIDATION, CURATED, DATA, FEATURES
from pipeline.params import Params
from pipeline.parts.artifact import MANIFEST, ArtifactPlan
from pipeline.parts.fingerprint import fingerprint
from pipeline.parts.manifest import manifest_digest
from pipeline.parts.plan import Summary
from pipeline.reporting.content import modules
from pipeline.reporting.inputs import Inputs
from pipeline.stages.work.compare import compare, write

PAGE = "index.html"


def plan(params: Params, item: str = "", root: Path = Path(DATA)) -> ArtifactPlan:
    """Compare the models of params.yaml's `comparison`; nothing if no answer changed.

    Raises
    ------
    PipelineError
        params.yaml has no comparison, or a model of it is not cross-validated yet.
    """
    from pipeline.reporting.comparison.page import templates

    options = params.comparison
    if options is None:
        raise PipelineError("there is nothing to compare: params.yaml has no section `comparison`")
    lacking = [
        name for name in options.models if not (root / CROSSVALIDATION / name / MANIFEST).is_file()
    ]
    if lacking:
        raise PipelineError(
            f"not cross-validated yet: {', '.join(lacking)}. Run `dvc repro comparison/dvc.yaml` "
            f"(recipes/comparison.dvc.yaml, copied there), or take them out of comparison.models"
        )
    used = dict.fromkeys(
        [
            *(name for model in options.models.values() for name in model.features),
            *options.baseline.features.values(),
        ]
    )
    modalities = {name: params.features[name].modality for name in used}
    shown = tuple(name for name in params.modalities if name in modalities.values())
    inputs = Inputs(
        root=root,
        models=(),
        modalities=shown,
        features=modalities,
        targets=params.targets,
        params_digest="",
        confidence=options.confidence,
    )
    cleaned = (inputs.stage(f"{CLEAN}/{modality}") for modality in shown)
    read = (
        CURATED,
        *(f"{FEATURES}/{name}" for name in used),
        *(f"{CROSSVALIDATION}/{name}" for name in options.models),
        *(stage.name for stage in cleaned if stage),
    )

    def make(folder: Path) -> None:
        from pipeline.reporting.comparison.data import ComparisonData
        from pipeline.reporting.comparison.page import render

        compared = compare(options, modalities, params.targets, params.seed, root)
        write(folder, compared)
        page = render(
            ComparisonData(
                summary=compared.summary,
                tables=compared.tables,
                inputs=inputs,
                folds=options.folds,
                seeds=options.seeds,
                confidence=options.confidence,
                options=params.report,
            )
        )
        (folder / PAGE).write_text(page, encoding="utf-8")

    return ArtifactPlan(
        out=root / COMPARISON,
        fingerprint=fingerprint(
            "compare",
            [
                "pipeline.stages.work.compare",
                "pipeline.reporting.comparison.page",
                *modules(shown),
            ],
            {
                "comparison": options.model_dump(mode="json", exclude={"models"}),
                "models": {name: list(model.features) for name, model in options.models.items()},
                "modalities": modalities,
                "shown": list(shown),
                "picture": params.report.picture,
                "clip": params.report.clip,
                "seed": params.seed,
            },
            templates(),
            device="cpu",
        ),
        inputs={name: manifest_digest(root / name) for name in read},
        make=make,
        count=lambda: Summary(rows=len(options.models)),
    )
