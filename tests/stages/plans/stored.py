"""The synthetic world as curate and extract leave it on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.core.files.digest import digest_bytes, digest_json
from pipeline.core.schemas import curated_schema
from pipeline.execution.options import ExecutionOptions
from pipeline.models.evaluation.options import EvaluationOptions
from pipeline.models.options import ModelOptions
from pipeline.parts import tables
from pipeline.parts.fingerprint import Fingerprint, fingerprint
from pipeline.parts.part import Compute, Row, Work
from pipeline.store.format.layout import features_table, write_features
from pipeline.store.join import Joined
from tests.models.synthetic import SETS, joined
from tests.toy import put

KINDS = {"category": "multiclass", "language": "multiclass"}


@dataclass(frozen=True)
class Stored(Work):
    """A work whose rows bring their features along."""

    fingerprint: Fingerprint
    stage: str = "extract"
    cost_ms: float = 0.0
    verb: str = "stored"

    def read(self, rows: Sequence[Row]) -> list[np.ndarray]:
        return [row.spec for row in rows]

    def open(self) -> Compute:
        return lambda rows, values: values

    def table(self, rows: Sequence[Row], outcomes: Sequence[np.ndarray]) -> pa.Table:
        return features_table(
            [row.digest for row in rows],
            [row.key for row in rows],
            [row.view for row in rows],
            np.ones(len(rows), np.int32),
            np.stack(outcomes),
        )

    def write(self, table: pa.Table, path: Path, metadata: dict[bytes, bytes]) -> None:
        write_features(table, path, metadata)


def asset(modality: str, sample: str) -> str:
    return digest_bytes(f"{modality} {sample}".encode())


def store_world(root: Path, views: int = 0) -> Joined:
    world = joined()
    store_curated(root, world)
    for name in SETS:
        store_features(root, name, [joined(view=v) for v in range(views + 1)])
    return world


def store_curated(root: Path, world: Joined, kinds: dict[str, str] = KINDS) -> None:
    records = [
        {
            "sample_id": sample,
            "source": "synthetic",
            "batch": str(world.batch[i]),
            "group": str(world.group[i]),
            "component": str(world.component[i]),
            "split": str(world.split[i]),
            "attributes": list(world.attributes[i].items()),
            "joined_by": [],
            **{f"target.{name}": values[i] for name, values in world.targets.items()},
            **{
                modality: asset(modality, sample) if world.present[name][i] else None
                for name, modality in SETS.items()
            },
        }
        for i, sample in enumerate(world.sample_ids)
    ]
    print_ = fingerprint("curate", ["pipeline.core.files.digest"], {})
    rows = [tables.record_row(record, record["sample_id"]) for record in records]
    schema = curated_schema(SETS.values(), kinds)  # type: ignore[arg-type]
    tables.table(root / "curated", "curate", print_, schema, rows, 64, 2**20, 0.0).run()


def store_features(root: Path, name: str, views: list[Joined]) -> None:
    rows = [
        Row(
            asset(SETS[name], sample),
            digest_json(values.tolist()),
            "synthetic",
            "one",
            1,
            v,
            values,
        )
        for v, world in enumerate(views)
        for sample, values, has in zip(
            world.sample_ids, world.values[name], world.present[name], strict=True
        )
        if has
    ]  # fmt: skip
    work = Stored(fingerprint(f"extract/{name}", ["pipeline.core.files.digest"], {}))
    put(root / "features" / name, work, rows, cut=(64, 2**20))


def params(models: dict[str, ModelOptions], **changed: Any) -> Any:
    """As much of Params as these stages read."""
    given = {
        "seed": 7,
        "models": models,
        "features": {name: SimpleNamespace(modality=modality) for name, modality in SETS.items()},
        "targets": KINDS,
        "predicted": frozenset(),
        "evaluate": EvaluationOptions(resamples=100, group_by=("language", "voice")),
        "execution": ExecutionOptions(),
    }
    return SimpleNamespace(**{**given, **changed})
