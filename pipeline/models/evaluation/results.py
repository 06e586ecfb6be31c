"""An evaluation on disk: its figures, predictions.parquet and one CSV file per table."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.files.csv_table import write_table
from pipeline.core.schemas import predictions_schema
from pipeline.models.evaluation import figure_files
from pipeline.models.evaluation.evaluate import BRIEF, BRIEF_OF_TEXTS, Evaluation

COLUMNS = {
    "figures": figure_files.COLUMNS,
    "confusion": ("task", "truth", "prediction"),
    "per_class": ("task", "split", "class", "precision", "recall", "f1", "support"),
    "groups": ("task", "split", "attribute", "value", "components", "n", *BRIEF),
    "subsets": ("task", "split", "kind", "subset", "n", *BRIEF),
    "calibration": ("task", "split", "bin", "low", "high", "confidence", "accuracy", "n"),
    "robustness": ("task", "kind", "modality", "rate", "macro_f1", "accuracy", "low", "high"),
    "contributions": ("task", "measure", "level", "name", "modality", "value", "low", "high", "n"),
}


def write_evaluation(folder: Path, primary: str, evaluation: Evaluation) -> None:
    """Write the files of an evaluation; the same bytes for the same evaluation."""

    figure_files.write_headlines(folder, primary, evaluation.headlines)
    predictions = pa.Table.from_pylist(evaluation.predictions, schema=predictions_schema())
    pq.write_table(predictions, folder / "predictions.parquet", compression="zstd")
    for table, columns in COLUMNS.items():
        rows = (
            list(figure_files.figure_rows(evaluation.metrics))
            if table == "figures"
            else getattr(evaluation, table)
        )
        of_texts = [name for name in BRIEF_OF_TEXTS if any(name in row for row in rows)]
        write_table(folder / f"{table}.csv", [*columns, *of_texts], rows)
