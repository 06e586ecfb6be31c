"""report: everything that the other stages left → data/reports/index.html."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline import artifact
from pipeline.fingerprint import fingerprint
from pipeline.reporting.inputs import Inputs
from pipeline.reporting.options import Options
from pipeline.reporting.shown import modules

PAGE = "index.html"


def run(
    root: Path,
    options: Options,
    models: Sequence[str],
    modalities: Sequence[str],
    features: Mapping[str, str],
    targets: Mapping[str, str],
    params_digest: str,
) -> bool:
    """Bring root/reports to the page of what is there now; True if it had to be made.

    Parameters
    ----------
    root:
        The data root (data/).
    models, modalities:
        Names from params.
    features:
        Feature set → modality.
    targets:
        Target → kind.
    params_digest:
        Digest of the whole of params, shown on the page.
    """
    from pipeline.reporting.page import render, templates

    inputs = Inputs(root, models, modalities, features, targets, params_digest)
    shape = fingerprint(
        "report",
        [
            "pipeline.reporting.page",
            *modules(modalities),
            *(f"pipeline.modalities.{name}.content" for name in modalities),
            *(f"pipeline.modalities.{name}.augment" for name in modalities),
        ],
        {
            **options.model_dump(mode="json"),
            "models": list(models),
            "modalities": list(modalities),
            "features": dict(features),
            "targets": dict(targets),
            "params": params_digest,
        },
        templates(),
    )

    def make(folder: Path) -> None:
        (folder / PAGE).write_text(render(inputs, options), encoding="utf-8")

    return artifact.build(root / "reports", shape, inputs.digests(), make)
