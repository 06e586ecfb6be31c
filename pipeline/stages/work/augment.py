"""Asset and view number → recipe: the operations that will make this view, as data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.core.randomness import generator
from pipeline.core.schemas import augmented_schema
from pipeline.modalities import augmentation_of
from pipeline.parts.part import Compute, Row, Work

if TYPE_CHECKING:
    from pipeline.core.options import Options
    from pipeline.parts.fingerprint import Fingerprint


@dataclass(frozen=True)
class Augment(Work):
    """Draws recipes for one modality, each from (seed, modality, digest, view)."""

    modality: str
    options: Options
    seed: int
    fingerprint: Fingerprint
    cost_ms: float = 0.05
    verb: str = "drawn"

    @property
    def stage(self) -> str:  # type: ignore[override]
        return f"augment/{self.modality}"

    def open(self) -> Compute:
        draw = augmentation_of(self.modality).draw

        def compute(rows: Sequence[Row], values: Sequence[Any]) -> list[str]:
            return [
                json.dumps(
                    draw(
                        generator(self.seed, "augment", self.modality, row.digest, row.view),
                        self.options,
                    ),
                    sort_keys=True,
                )
                for row in rows
            ]

        return compute

    def table(self, rows: Sequence[Row], outcomes: Sequence[str]) -> pa.Table:
        records = [
            {"digest": row.digest, "key": row.key, "view": row.view, "recipe": recipe}
            for row, recipe in zip(rows, outcomes, strict=True)
        ]
        return pa.Table.from_pylist(records, schema=augmented_schema())
