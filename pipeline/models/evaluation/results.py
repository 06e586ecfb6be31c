"""An evaluation on disk: metrics.json, predictions.parquet and a CSV file a table."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from pipeline.models.evaluation.evaluate import BRIEF, Evaluation
from pipeline.records import predictions_schema

COLUMNS = {
    "confusion": ("task", "truth", "prediction"),
    "per_class": ("task", "split", "class", "precision", "recall", "f1", "support"),
    "groups": ("task", "split", "attribute", "value", "components", "n", *BRIEF),
    "subsets": ("task", "split", "kind", "subset", "n", *BRIEF),
    "calibration": ("task", "split", "bin", "low", "high", "confidence", "accuracy", "n"),
    "robustness": ("task", "kind", "modality", "rate", "macro_f1", "accuracy", "low", "high"),
    "contributions": ("task", "measure", "level", "name", "modality", "value", "low", "high", "n"),
}


def write(folder: Path, name: str, primary: str, found: Evaluation) -> None:
    """Write the files of an evaluation; the same bytes for the same evaluation."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    metrics = {"model": name, "primary_task": primary, "tasks": found.metrics}
    text = json.dumps(metrics, indent=1, ensure_ascii=False) + "\n"
    (folder / "metrics.json").write_text(text, encoding="utf-8")
    predictions = pa.Table.from_pylist(found.predictions, schema=predictions_schema())
    pq.write_table(predictions, folder / "predictions.parquet", compression="zstd")
    for table, columns in COLUMNS.items():
        with (folder / f"{table}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(getattr(found, table))
