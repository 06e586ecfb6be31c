"""compare: data/crossvalidation/<model> → data/comparison, which model is better and is it sure."""

from __future__ import annotations

from pathlib import Path

from pipeline.artifact import Plan
from pipeline.errors import PipelineError
from pipeline.fingerprint import fingerprint
from pipeline.manifest import manifest_digest
from pipeline.params import Params
from pipeline.parts import Summary
from pipeline.work.compare import make


def plan(params: Params, item: str = "", root: Path = Path("data")) -> Plan:
    """Compare the models of params.yaml's `comparison`; nothing if no answer changed.

    Raises
    ------
    PipelineError
        params.yaml has no comparison, or a model of it is not cross-validated yet.
    """
    options = params.comparison
    if options is None:
        raise PipelineError("there is nothing to compare: params.yaml has no section `comparison`")
    used = dict.fromkeys(
        one
        for features in (
            *(model.features for model in options.models.values()),
            options.baseline.features.values(),
        )
        for one in features
    )
    modalities = {one: params.features[one].modality for one in used}
    return Plan(
        root / "comparison",
        fingerprint(
            "compare",
            ["pipeline.work.compare"],
            {
                "comparison": options.model_dump(mode="json", exclude={"models"}),
                "models": {name: list(one.features) for name, one in options.models.items()},
                "modalities": modalities,
                "seed": params.seed,
            },
            device="cpu",
        ),
        {
            "curated": manifest_digest(root / "curated"),
            **{f"features/{one}": manifest_digest(root / "features" / one) for one in used},
            **{
                f"crossvalidation/{name}": manifest_digest(root / "crossvalidation" / name)
                for name in options.models
            },
        },
        lambda folder: make(folder, options, modalities, params.targets, params.seed, root),
        lambda: Summary(rows=len(options.models)),
    )
