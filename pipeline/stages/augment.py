"""augment@modality: data/clean/<modality> → data/augmented/<modality>, recipes only."""

from __future__ import annotations

from pathlib import Path

from pipeline import manifest, parts
from pipeline.execution.choose import chooser
from pipeline.fingerprint import fingerprint
from pipeline.params import Params
from pipeline.part import Row, row_key
from pipeline.parts import Plan
from pipeline.work.augment import Augment


def plan(params: Params, modality: str, root: Path = Path("data")) -> Plan:
    """Draw the recipes of views 1..k for every cleaned asset of one modality."""
    options = params.augment[modality]
    identity = fingerprint(
        f"augment/{modality}",
        ["pipeline.work.augment", f"pipeline.modalities.{modality}.augment"],
        {"seed": params.seed, **options.model_dump(mode="json", exclude={"views"})},
    )
    rows = [
        Row(digest, row_key(digest, view), entry.source, entry.batch, size=0, view=view)
        for entry, table in manifest.read_each(root / "clean" / modality, ["digest"])
        for digest in table["digest"].to_pylist()
        for view in range(1, options.views + 1)
    ]
    planned = parts.plan(identity, rows, params.parts.mean_rows, params.parts.max_bytes)
    work = Augment(modality, options, params.seed, identity)
    executor = chooser(params.execution)
    return Plan(root / "augmented" / modality, work, planned, executor, reject_limit=0.0)
