"""Fold and seed → what a model trained there answers. A training is a row like any other."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipeline.core.errors import PipelineError
from pipeline.core.machine.shortage import Shortage, as_device_failure
from pipeline.parts.part import Compute, Row, Work

if TYPE_CHECKING:
    from pipeline.models.comparison.options import FoldOptions
    from pipeline.models.options import ModelOptions
    from pipeline.parts.fingerprint import Fingerprint


@dataclass(frozen=True)
class Crossvalidate(Work):
    """Trains one model for one fold and seed per row, `spec` being (seed, fold).

    Parameters
    ----------
    sets:
        (feature set, modality) of the model.
    root:
        The data directory, absolute.
    """

    model: str
    options: ModelOptions
    folds: FoldOptions
    sets: tuple[tuple[str, str], ...]
    seed: int
    root: Path
    fingerprint: Fingerprint
    cost_ms: float = 8000.0
    verb: str = "trained"
    rows_at_once = 1

    @property
    def stage(self) -> str:  # type: ignore[override]
        return f"crossvalidate/{self.model}"

    def open(self) -> Compute:
        from pipeline.models.comparison.crossvalidation import run_fold
        from pipeline.models.comparison.folds import make_folds
        from pipeline.models.examples import build_examples, classes_of
        from pipeline.store.join import join_work_tree

        sets = dict(self.sets)
        views = [join_work_tree(self.root, sets, view) for view in range(self.options.views + 1)]
        tasks = self.options.tasks
        classes = classes_of(views[0], tasks)
        data = build_examples(views, sets, classes, tasks)
        fold_of = {
            (fold.seed, fold.number): fold
            for fold in make_folds(
                data.targets[self.options.primary], data.component, self.folds, self.seed
            )
        }

        on_gpu = self.options.device != "cpu"

        def compute(rows: Sequence[Row], values: Sequence[Any]) -> list[Any]:
            answers = []
            for row in rows:
                try:
                    with as_device_failure(self.stage) if on_gpu else nullcontext():
                        answers.append(run_fold(data, classes, self.options, fold_of[row.spec]))
                except Shortage:
                    raise
                except PipelineError as error:
                    seed, fold = row.spec
                    raise PipelineError(
                        f"{self.stage}, seed {seed}, fold {fold}: {error}"
                    ) from None
            return answers

        return compute

    def table(self, rows: Sequence[Row], outcomes: Sequence[Any]) -> pa.Table:
        """One row per training; `shown` names the subsets; what is theirs is flattened."""

        records = [
            {
                "digest": row.digest,
                "key": row.key,
                "seed": row.spec[0],
                "fold": row.spec[1],
                "parameters": outcome.parameters,
                "diverged": outcome.diverged,
                "classes": list(outcome.classes),
                "sample_id": outcome.sample_ids.tolist(),
                "shown": list(outcome.probabilities),
                "probabilities": np.concatenate(
                    [p.ravel() for p in outcome.probabilities.values()]
                ),
                "predictions": np.concatenate(list(outcome.predictions.values())),
                "inner_sample_id": outcome.inner_sample_ids.tolist(),
                "inner_predictions": outcome.inner_predictions,
            }
            for row, outcome in zip(rows, outcomes, strict=True)
        ]
        return pa.Table.from_pylist(
            records,
            schema=pa.schema(
                {
                    "digest": pa.string(),
                    "key": pa.string(),
                    "seed": pa.int32(),
                    "fold": pa.int32(),
                    "parameters": pa.int64(),
                    "diverged": pa.bool_(),
                    "classes": pa.list_(pa.string()),
                    "sample_id": pa.list_(pa.string()),
                    "shown": pa.list_(pa.string()),
                    "probabilities": pa.list_(pa.float32()),
                    "predictions": pa.list_(pa.int32()),
                    "inner_sample_id": pa.list_(pa.string()),
                    "inner_predictions": pa.list_(pa.int32()),
                }
            ),
        )
