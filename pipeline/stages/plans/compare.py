"""compare: data/crossvalidation/<model> → data/comparison, which model is better and is it sure."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.folders import CLEAN, COMPARISON, CROSSVALIDATION, CURATED, DATA, FEATURES
from pipeline.models.comparison.options import ComparisonOptions
from pipeline.params import Params
from pipeline.parts.artifact import ArtifactPlan
from pipeline.parts.fingerprint import fingerprint
from pipeline.parts.manifest import MANIFEST, manifest_digest
from pipeline.parts.summary import Summary
from pipeline.reporting.content import modules
from pipeline.reporting.inputs import ReportInputs
from pipeline.stages.work.compare import compare_models, write_comparison

PAGE = "index.html"


def plan(params: Params, item: str = "", root: Path = Path(DATA)) -> ArtifactPlan:
    """Compare the models of params.yaml's `comparison`; nothing if no answer changed.

    Raises
    ------
    PipelineError
        params.yaml has no comparison, or a model of it is not cross-validated yet.
    """
    from pipeline.reporting.section import page_templates

    options = params.comparison
    if options is None:
        raise PipelineError("there is nothing to compare: params.yaml has no section `comparison`")
    modalities = {name: params.features[name].modality for name in _feature_sets(options)}
    media = tuple(name for name in params.modalities if name in modalities.values())
    inputs = ReportInputs(
        root=root,
        models=(),
        modalities=media,
        features=modalities,
        targets=params.targets,
        params_digest="",
        confidence=options.confidence,
    )
    cleaned = (inputs.stage(f"{CLEAN}/{modality}") for modality in media)
    read = (
        CURATED,
        *(f"{FEATURES}/{name}" for name in modalities),
        *_cross_validations(options, root),
        *(stage.name for stage in cleaned if stage),
    )

    def make(folder: Path) -> None:
        from pipeline.reporting.comparison.data import ComparisonData
        from pipeline.reporting.comparison.page import render_comparison

        compared = compare_models(options, modalities, params.targets, params.seed, root)
        write_comparison(folder, compared)
        data = ComparisonData(
            summary=compared.summary,
            tables=compared.tables,
            inputs=inputs,
            folds=options.folds,
            seeds=options.seeds,
            confidence=options.confidence,
            options=params.report,
        )
        (folder / PAGE).write_text(render_comparison(data), encoding="utf-8")

    code = [
        "pipeline.stages.work.compare",
        "pipeline.reporting.comparison.page",
        *modules(media),
    ]
    keyed = {
        "comparison": options.model_dump(mode="json", exclude={"models"}),
        "models": {name: list(model.features) for name, model in options.models.items()},
        "modalities": modalities,
        "shown": list(media),
        "picture": params.report.picture,
        "clip": params.report.clip,
        "seed": params.seed,
    }
    return ArtifactPlan(
        out=root / COMPARISON,
        fingerprint=fingerprint("compare", code, keyed, page_templates("comparison"), device="cpu"),
        inputs={name: manifest_digest(root / name, params.predicted) for name in read},
        make=make,
        count=lambda: Summary(rows=len(options.models)),
    )


def _feature_sets(options: ComparisonOptions) -> list[str]:
    """The feature sets that the models and the baseline read, each once."""
    of_models = [name for model in options.models.values() for name in model.features]
    return list(dict.fromkeys([*of_models, *options.baseline.features.values()]))


def _cross_validations(options: ComparisonOptions, root: Path) -> list[str]:
    """`crossvalidation/MODEL` of each model; a PipelineError names those that are not made."""
    lacking = [
        name for name in options.models if not (root / CROSSVALIDATION / name / MANIFEST).is_file()
    ]
    if lacking:
        raise PipelineError(
            f"not cross-validated yet: {', '.join(lacking)}. Run `dvc repro comparison/dvc.yaml` "
            f"(recipes/comparison.dvc.yaml, copied there), or take them out of comparison.models"
        )
    return [f"{CROSSVALIDATION}/{name}" for name in options.models]
