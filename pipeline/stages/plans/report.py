"""report: everything that the other stages left → data/reports/index.html."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.files.digest import digest_json
from pipeline.core.folders import DATA, REPORTS
from pipeline.core.registry import locate
from pipeline.modalities import part
from pipeline.models.tasks import kinds
from pipeline.params import Params
from pipeline.params.resolved import resolved
from pipeline.parts import artifact
from pipeline.parts.fingerprint import fingerprint
from pipeline.parts.summary import Summary
from pipeline.reporting.content import modules
from pipeline.reporting.inputs import ReportInputs

PAGE = "index.html"
# What changes nothing that the page shows: where data is fetched from, and what has a page of its
# own.
UNSEEN = ("fetch", "compress", "comparison", "verification")


def plan(params: Params, item: str = "", root: Path = Path(DATA)) -> artifact.ArtifactPlan:
    """Bring root/reports to the page of what is there now; stages that did not run are left out."""
    from pipeline.reporting.page import render, templates

    inputs = ReportInputs(
        root=root,
        models=tuple(params.models),
        modalities=params.modalities,
        features=params.set_modalities,
        targets=params.targets,
        params_digest=params_digest(params),
        confidence=params.evaluate.confidence,
    )
    identity = fingerprint(
        "report",
        [
            "pipeline.reporting.page",
            *modules(params.modalities),
            *(part(name, "augment") for name in params.modalities),
            *(locate("models/tasks", kind) for kind in kinds()),
        ],
        {
            "report": params.report.model_dump(mode="json"),
            "models": list(inputs.models),
            "modalities": list(inputs.modalities),
            "features": dict(inputs.features),
            "targets": dict(inputs.targets),
            "params": inputs.params_digest,
            "confidence": inputs.confidence,
        },
        templates(),
    )

    def make(folder: Path) -> None:
        (folder / PAGE).write_text(render(inputs, params.report), encoding="utf-8")

    return artifact.ArtifactPlan(
        out=root / REPORTS,
        fingerprint=identity,
        inputs=inputs.digests(),
        make=make,
        count=lambda: Summary(rows=1),
    )


def params_digest(params: Params) -> str:
    """Digest of all params that may change an output."""
    document = resolved(params)
    return digest_json({name: document[name] for name in document if name not in UNSEEN})
