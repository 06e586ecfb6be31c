"""What the report reads: the finished outputs of the other stages, each only if it is there."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline.core.files.digest import digest_file
from pipeline.core.files.documents import csv_rows, document, reading
from pipeline.core.folders import (
    CLEAN,
    CURATE_COUNTS,
    CURATED,
    EVALUATION,
    INGEST_COUNTS,
    MODELS,
)
from pipeline.core.records import Reject
from pipeline.models.evaluation import figure_files
from pipeline.models.tasks import Task, task_of
from pipeline.parts import artifact, manifest
from pipeline.parts.part import Entry
from pipeline.store import rejects

Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Absent:
    """Why a section is left out, in one sentence for the reader."""

    note: str


@dataclass(frozen=True)
class EvaluatedModel:
    """A trained model and its evaluation; what was not written is empty.

    `order` lists all modalities as the params do.
    """

    name: str
    trained: Path
    evaluated: Path
    order: Sequence[str]

    @cached_property
    def card(self) -> dict[str, Any]:
        return _json(self.trained / "model.json")

    @cached_property
    def tasks(self) -> dict[str, Any]:
        """Task → split → metric → {value, low, high}, the counts being plain numbers."""
        return {task: each for task, each in self._figures.items() if task not in self.aligned}

    @cached_property
    def aligned(self) -> dict[str, Any]:
        """The same of what was measured of its alignment, if it has one: see `docs/models.md`."""
        if not self.card.get("options", {}).get("alignment"):
            return {}
        tasks = self.card["tasks"]
        return {name: each for name, each in self._figures.items() if name not in tasks}

    @cached_property
    def _figures(self) -> dict[str, Any]:
        return figure_files.read_figures(self.evaluated)

    @cached_property
    def primary_task(self) -> str | None:
        return self.card.get("primary_task")

    @cached_property
    def classes(self) -> dict[str, list[str]]:
        """Task → its class names, in the order of the probabilities."""
        return {task: spec["classes"] for task, spec in self.card.get("tasks", {}).items()}

    def task(self, name: str) -> Task:
        """What the task is learned as."""
        return task_of(self.card.get("tasks", {}).get(name, {}).get("kind", "multiclass"))

    @cached_property
    def modalities(self) -> tuple[str, ...]:
        """The modalities of its feature sets, in the order of params."""
        seen = {feature["modality"] for feature in self.card.get("features", {}).values()}
        return tuple(modality for modality in self.order if modality in seen)

    @cached_property
    def predictions(self) -> list[dict[str, Any]]:
        path = self.evaluated / "predictions.parquet"
        if not path.is_file():
            return []

        with reading(path):
            rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return rows

    @cached_property
    def curves(self) -> dict[str, list[tuple[float, float]]]:
        """Figure, as training names it ("train/loss"), → (epoch, value) pairs, epochs from 0."""
        folder = self.trained / "curves" / "plots" / "metrics"
        points_by_figure = {}
        for path in sorted(folder.rglob("*.tsv")):
            with path.open(newline="") as file:
                rows = list(csv.reader(file, delimiter="\t"))
            if len(rows) > 1 and "step" in rows[0]:
                step = rows[0].index("step")
                name = path.relative_to(folder).with_suffix("").as_posix()
                points_by_figure[name] = [(float(row[step]), float(row[-1])) for row in rows[1:]]
        return points_by_figure

    def table(self, name: str) -> Rows:
        """The rows of one of the evaluation's CSV files."""
        path = self.evaluated / f"{name}.csv"
        return csv_rows(path) if path.is_file() else []


@dataclass(frozen=True)
class Stage:
    """A finished stage: `name` is its directory below the data root."""

    name: str
    out: Path

    @cached_property
    def entries(self) -> list[Entry]:
        return manifest.read_manifest(self.out)

    @cached_property
    def function(self) -> dict[str, Any]:
        """The fingerprint its parts were made under: code, weights, libraries and so on."""
        function: dict[str, Any] = _json(self.out / manifest.MANIFEST).get("function", {})
        return function

    @property
    def rows(self) -> int:
        return sum(entry.rows for entry in self.entries)

    @property
    def rejected(self) -> int:
        return sum(entry.rejected for entry in self.entries)

    @property
    def bytes(self) -> int:
        return sum(entry.bytes for entry in self.entries)

    @cached_property
    def rejects(self) -> list[Reject]:
        return sorted(manifest.rejects(self.out.joinpath))


@dataclass(frozen=True)
class ReportInputs:
    """Everything the page is made of.

    Parameters
    ----------
    root:
        The data root (data/).
    models, modalities:
        Names from params, in the order to show them in.
    features:
        Feature set → modality.
    targets:
        Target → kind.
    params_digest:
        Digest of the params that change outputs.
    confidence:
        Mass of the intervals in the metrics, 0 to 1.
    """

    root: Path
    models: Sequence[str]
    modalities: Sequence[str]
    features: Mapping[str, str]
    targets: Mapping[str, str]
    params_digest: str
    confidence: float = 0.95

    @cached_property
    def evaluated(self) -> list[EvaluatedModel]:
        """The models of which tasks were evaluated."""
        return [model for model in self._models if model.tasks]

    @cached_property
    def aligned(self) -> list[EvaluatedModel]:
        """The models of which an alignment was evaluated."""
        return [model for model in self._models if model.aligned]

    @cached_property
    def _models(self) -> list[EvaluatedModel]:
        return [
            EvaluatedModel(
                name,
                self.root / MODELS / name,
                self.root / EVALUATION / name,
                self.modalities,
            )
            for name in self.models
        ]

    @cached_property
    def stages(self) -> list[Stage]:
        """The finished stages of parts, in the order of the flow."""
        names = rejects.reject_folders(self.modalities, self.features).values()
        finished = [Stage(name, self.root / name) for name in names]
        return [stage for stage in finished if (stage.out / manifest.MANIFEST).is_file()]

    def stage(self, name: str) -> Stage | None:
        return next((stage for stage in self.stages if stage.name == name), None)

    @cached_property
    def curated(self) -> list[dict[str, Any]]:
        """The curated samples, by sample id.

        `attributes` is a dict without nulls, `kinds` all that tells samples apart in sort: values
        of targets and attributes.
        """
        stage = self.stage(CURATED)
        rows = manifest.read(stage.out).to_pylist() if stage else []
        for row in rows:
            pairs = dict(row.get("attributes") or {})
            row["attributes"] = {key: text for key, text in pairs.items() if text is not None}
            targets = [row[f"target.{name}"] for name in self.targets if f"target.{name}" in row]
            row["kinds"] = [str(kind) for kind in [*targets, *row["attributes"].values()]]
        return sorted(rows, key=lambda row: row["sample_id"])

    @cached_property
    def by_id(self) -> dict[str, dict[str, Any]]:
        return {row["sample_id"]: row for row in self.curated}

    def counts(self, name: str) -> dict[str, Any]:
        """A stage's own counts, of a file below the data root."""
        return _json(self.root / name)

    def digests(self) -> dict[str, str]:
        """Name → digest of all that is read here: what the page's key is made of."""
        digest_by_name = {stage.name: manifest.manifest_digest(stage.out) for stage in self.stages}
        for model in self.models:
            for folder in (MODELS, EVALUATION):
                out = self.root / folder / model
                if (out / artifact.MANIFEST).is_file():
                    digest_by_name[f"{folder}/{model}"] = artifact.digest(out)
        for name in (INGEST_COUNTS, CURATE_COUNTS):
            path = self.root / name
            if path.is_file():
                digest_by_name[path.name] = digest_file(path)
        return digest_by_name

    def assets(self, modality: str, digests: set[str]) -> dict[str, tuple[bytes, list[int]]]:
        """Digest → (packed content, shape) of cleaned assets, for those that are there."""
        stage = self.stage(f"{CLEAN}/{modality}")
        if stage is None or not digests:
            return {}

        packed_by_digest = {}
        for entry in stage.entries:
            path = stage.out / f"{entry.key}.parquet"
            with reading(path):
                table = pq.read_table(
                    path,
                    columns=["digest", "shape", "data"],
                    filters=[("digest", "in", sorted(digests))],
                    partitioning=None,
                )
            for row in table.to_pylist():
                packed_by_digest[row["digest"]] = (row["data"], row["shape"])
        return packed_by_digest


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    return document(path, dict[str, Any])
