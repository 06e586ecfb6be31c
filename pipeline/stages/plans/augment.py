"""augment@modality: data/clean/<modality> → data/augmented/<modality>, recipes only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.core.folders import AUGMENTED, CLEAN, DATA
from pipeline.execution.choose import chooser
from pipeline.modalities import part
from pipeline.params import Params
from pipeline.parts import manifest
from pipeline.parts.fingerprint import fingerprint
from pipeline.parts.part import Row, row_key
from pipeline.parts.plan import PartsPlan
from pipeline.stages.work.augment import Augment


def plan(params: Params, modality: str, root: Path = Path(DATA)) -> PartsPlan:
    """Draw the recipes of views 1..k for every cleaned asset of one modality."""
    options = params.augment[modality]
    identity = fingerprint(
        f"augment/{modality}",
        ["pipeline.stages.work.augment", part(modality, "augment")],
        {"seed": params.seed, **options.model_dump(mode="json", exclude={"views"})},
    )
    clean = root / CLEAN / modality

    def rows() -> Iterator[Row]:
        for entry, table in manifest.read_each(clean, ["digest"]):
            if entry.source in params.predicted:  # views are for training
                continue
            for digest in table["digest"].to_pylist():
                for view in range(1, options.views + 1):
                    yield Row(digest, row_key(digest, view), entry.source, entry.batch, 0, view)

    return PartsPlan(
        out=root / AUGMENTED / modality,
        work=Augment(modality, options, params.seed, identity),
        rows=rows,
        reads=lambda: [str(options.views), manifest.manifest_digest(clean, params.predicted)],
        cut=(params.parts.mean_rows, params.parts.max_bytes),
        executor=chooser(params.execution),
        reject_limit=0.0,
    )
