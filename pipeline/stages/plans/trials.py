"""trials@name: data/curated and data/features → data/verification/<name>, who is the same."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.folders import CURATED, DATA, FEATURES, VERIFICATION
from pipeline.params import Params
from pipeline.parts.artifact import ArtifactPlan
from pipeline.parts.fingerprint import fingerprint
from pipeline.parts.manifest import manifest_digest
from pipeline.parts.summary import Summary
from pipeline.stages.work.trials import TrialsWork

PAGE = "index.html"


def plan(params: Params, name: str, root: Path = Path(DATA)) -> ArtifactPlan:
    """Verify people by one section's systems; nothing if neither features nor options changed."""
    from pipeline.reporting.section import page_templates

    options = params.verification[name]
    sets = {used: params.features[used].modality for used in options.features}
    tables = (CURATED, *(f"{FEATURES}/{used}" for used in sets))

    def make(folder: Path) -> None:
        from pipeline.reporting.verification.page import render_verification

        TrialsWork(folder, options, sets, params.seed, root).run()
        (folder / PAGE).write_text(render_verification(name, folder), encoding="utf-8")

    return ArtifactPlan(
        out=root / VERIFICATION / name,
        fingerprint=fingerprint(
            "trials",
            ["pipeline.stages.work.trials", "pipeline.reporting.verification.page"],
            {
                "name": name,
                "verification": options.model_dump(mode="json"),
                "modalities": sets,
                "seed": params.seed,
            },
            page_templates("verification"),
        ),
        inputs={table: manifest_digest(root / table, params.predicted) for table in tables},
        make=make,
        count=lambda: Summary(rows=1),
    )
