"""Asset and view number → recipe: the operations that will make this view, as data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.part import Compute, Part, write_table
from pipeline.randomness import generator
from pipeline.records import Reject, augmented_schema
from pipeline.registry import load

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.fingerprint import Fingerprint
    from pipeline.options import Options


@dataclass(frozen=True)
class Augment:
    """Draws recipes for one modality, each from (seed, modality, digest, view)."""

    modality: str
    options: Options
    seed: int
    fingerprint: Fingerprint
    cost_ms: float = 0.05

    @property
    def stage(self) -> str:
        return f"augment/{self.modality}"

    def open(self) -> Compute:
        return self._draw

    def write(self, table: pa.Table, path: Path, metadata: dict[bytes, bytes]) -> None:
        write_table(table, path, metadata)

    def _draw(self, part: Part) -> tuple[pa.Table, list[Reject]]:
        import pyarrow as pa

        module = load(f"modalities/{self.modality}", "augment")
        records = []
        for row in part.rows:
            rng = generator(self.seed, "augment", self.modality, row.digest, row.view)
            recipe = module.draw(rng, self.options)
            records.append(
                {
                    "digest": row.digest,
                    "batch": row.batch,
                    "view": row.view,
                    "recipe": json.dumps(recipe, sort_keys=True),
                }
            )
        return pa.Table.from_pylist(records, schema=augmented_schema()), []
