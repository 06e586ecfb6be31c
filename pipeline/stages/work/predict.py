"""Samples whose features stand → a model's answers."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipeline.core.errors import Rejected
from pipeline.core.records import Reject
from pipeline.models.answer_table import REFUSAL, answer_schema, answer_table, unlabelled
from pipeline.models.examples import FeatureSpec
from pipeline.parts.part import Compute, Outcome, Row, Work
from pipeline.store.format.reader import StoredFeatures
from pipeline.store.trees.tree import WorkTree

if TYPE_CHECKING:
    from pipeline.models.task_options import TaskOptions
    from pipeline.parts.fingerprint import Fingerprint
    from pipeline.project.model_files import ModelFiles

Refusal = tuple[str, str, str, str]  # modality, stage, reason, message


@dataclass(frozen=True)
class Answered:
    """A sample that is answered for.

    `inputs` maps a modality to the digest of its asset, `features` a set to the place and length of
    its row; `refused` says why what the sample has is not among them.
    """

    sample_id: str
    inputs: Mapping[str, str]
    features: Mapping[str, tuple[int, int]]
    refused: tuple[Refusal, ...]


@dataclass(frozen=True)
class Predict(Work):
    """Answers by one model.

    Parameters
    ----------
    functions:
        By feature set, the digest of what makes it.
    stored:
        By feature set, the digest of its manifest, by whose order places are.
    root:
        The data directory, seen by no key.
    """

    name: str
    files: ModelFiles
    tasks: Mapping[str, TaskOptions]
    sets: tuple[FeatureSpec, ...]
    functions: Mapping[str, str]
    stored: Mapping[str, str]
    root: Path
    fingerprint: Fingerprint
    cost_ms: float = 0.2
    batch_rows = Work.rows_at_once
    verb: str = "answered"

    @property
    def stage(self) -> str:  # type: ignore[override]
        return f"predict/{self.name}"

    def file_of(self, row: Row) -> str:
        return str(row.spec.sample_id)

    def read(self, rows: Sequence[Row]) -> list[dict[str, tuple[np.ndarray, int]]]:
        """Of each row, by set what it has: values of the set's shape, and their length."""
        features: list[dict[str, tuple[np.ndarray, int]]] = [{} for _ in rows]
        for spec in self.sets:
            holders = [i for i, row in enumerate(rows) if spec.name in row.spec.features]
            stored = [rows[i].spec.features[spec.name] for i in holders]
            places = np.array([place for place, _ in stored], np.int64)
            vectors = _opened(self.root, spec.name, self.stored[spec.name]).matrix(places, view=0)
            for i, vector, (_, length) in zip(holders, vectors, stored, strict=True):
                features[i][spec.name] = vector, length
        return features

    def open(self) -> Compute:
        from pipeline.models.saving import load_model
        from pipeline.models.training.determinism import deterministic

        with self.files.folder() as folder:
            model = load_model(folder)

        def compute(rows: Sequence[Row], values: Sequence[Any]) -> list[Outcome]:
            with deterministic(0, "predict"):
                by_set = {s.name: [row.get(s.name) for row in values] for s in self.sets}
                table = answer_table(model, unlabelled(self.sets, by_set), list(self.tasks))
            return [
                answer if answer["present"] else self._nothing_seen(row)
                for row, answer in zip(rows, table.to_pylist(), strict=True)
            ]

        return compute

    def table(self, rows: Sequence[Row], outcomes: Sequence[dict[str, Any]]) -> pa.Table:
        about = self.files.about
        records = [
            {
                "digest": row.digest,
                "key": row.key,
                "sample_id": row.spec.sample_id,
                **answer,
                "refused": row.spec.refused,
                "inputs": sorted(row.spec.inputs.items()),
                "model": about.model,
                "model_digest": about.digest,
                "features": list(self.functions.items()),
            }
            for row, answer in zip(rows, outcomes, strict=True)
        ]
        schema = predictions_of_source_schema(self.tasks)
        columns = [[record[name] for record in records] for name in schema.names]
        return pa.table(
            [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema
        )

    def refuse(self, row: Row, why: Rejected) -> Reject:
        place = (self.stage, row.source, row.batch)
        return Reject(*place, "sample", row.spec.sample_id, "", why.reason, why.message)

    def _nothing_seen(self, row: Row) -> Rejected:
        reads = ", ".join(sorted({spec.modality for spec in self.sets}))
        refused = ", ".join(f"{m}: {reason}" for m, _, reason, _ in row.spec.refused)
        return Rejected(
            "no_modality",
            f"the model reads {reads}, of which the sample has nothing"
            + f" left (refused: {refused})" * bool(refused),
        )


def predictions_of_source_schema(tasks: Mapping[str, TaskOptions]) -> pa.Schema:
    """A row a sample: digest and key of the row, sample_id; the columns of `models.answer_table`;
    refused, inputs; model, model_digest, and the digest of the function of each feature set."""
    by_name = pa.map_(pa.string(), pa.string())
    return pa.schema(
        [
            *(pa.field(name, pa.string(), nullable=False) for name in ("digest", "key")),
            pa.field("sample_id", pa.string(), nullable=False),
            *answer_schema(tasks),
            ("refused", pa.list_(REFUSAL)),
            ("inputs", by_name),
            ("model", pa.string()),
            ("model_digest", pa.string()),
            ("features", by_name),
        ]
    )


@functools.lru_cache(maxsize=8)
def _opened(root: Path, name: str, manifest: str) -> StoredFeatures:
    """A feature set as one manifest has it."""
    return StoredFeatures(WorkTree(root), name)
