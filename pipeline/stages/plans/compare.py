"""compare: data/crossvalidation/<model> → data/comparison, which model is better and is it sure."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.params import Params
from pipeline.parts.artifact import ArtifactPlan
from pipeline.parts.fingerprint import fingerprint
from pipeline.parts.manifest import MANIFEST, manifest_digest
from pipeline.parts.plan import Summary
from pipeline.reporting.content import modules
from pipeline.reporting.inputs import ReportInputs
from pipeline.stages.work.compare import compare_models, write_comparison

PAGE = "index.html"


def plan(params: Params, item: str = "", root: Path = Path("data")) -> ArtifactPlan:
    """Compare the models of params.yaml's `comparison`; nothing if no answer changed.

    Raises
    ------
    PipelineError
        params.yaml has no comparison, or a model of it is not cross-validated yet.
    """
    from pipeline.reporting.comparison.page import comparison_templates

    options = params.comparison
    if options is None:
        raise PipelineError("there is nothing to compare: params.yaml has no section `comparison`")
    answers = {name: root / "crossvalidation" / name for name in options.models}
    lacking = [name for name, out in answers.items() if not (out / MANIFEST).is_file()]
    if lacking:
        raise PipelineError(
            f"not cross-validated yet: {', '.join(lacking)}. Run `dvc repro comparison/dvc.yaml` "
            f"(recipes/comparison.dvc.yaml, copied there), or take them out of comparison.models"
        )
    used = dict.fromkeys(
        item_name
        for features in (
            *(model.features for model in options.models.values()),
            options.baseline.features.values(),
        )
        for item_name in features
    )
    modalities = {item_name: params.features[item_name].modality for item_name in used}
    shown_modalities = tuple(
        item_name for item_name in params.modalities if item_name in modalities.values()
    )
    inputs = ReportInputs(
        root, (), shown_modalities, modalities, params.targets, "", options.confidence
    )
    read = {
        "curated": root / "curated",
        **{f"features/{item_name}": root / "features" / item_name for item_name in used},
        **{f"crossvalidation/{name}": out for name, out in answers.items()},
        **{
            stage.name: stage.out
            for item_name in shown_modalities
            if (stage := inputs.stage(f"clean/{item_name}"))
        },
    }

    def make(folder: Path) -> None:
        from pipeline.reporting.comparison.data import ComparisonData
        from pipeline.reporting.comparison.page import render_comparison

        found = compare_models(options, modalities, params.targets, params.seed, root)
        write_comparison(folder, found)
        page = render_comparison(
            ComparisonData(
                found.summary,
                found.tables,
                inputs,
                options.folds,
                options.seeds,
                options.confidence,
                params.report,
            )
        )
        (folder / PAGE).write_text(page, encoding="utf-8")

    return ArtifactPlan(
        root / "comparison",
        fingerprint(
            "compare",
            [
                "pipeline.stages.work.compare",
                "pipeline.reporting.comparison.page",
                *modules(shown_modalities),
                *(f"pipeline.modalities.{name}.content" for name in shown_modalities),
            ],
            {
                "comparison": options.model_dump(mode="json", exclude={"models"}),
                "models": {
                    name: list(item_name.features) for name, item_name in options.models.items()
                },
                "modalities": modalities,
                "shown": list(shown_modalities),
                "picture": params.report.picture,
                "clip": params.report.clip,
                "seed": params.seed,
            },
            comparison_templates(),
            device="cpu",
        ),
        {name: manifest_digest(out) for name, out in read.items()},
        make,
        lambda: Summary(rows=len(options.models)),
    )
