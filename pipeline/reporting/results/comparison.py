"""The comparison's leaderboard, and what the choice gains."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.core.files.documents import csv_rows
from pipeline.models.comparison.candidate import CHOICE
from pipeline.reporting.format import percent, points
from pipeline.reporting.results.table import estimate, markdown_table


def comparison_tables(folder: Path) -> Iterator[str]:
    """Nothing where no comparison has run."""
    if not (folder / "leaderboard.csv").is_file():
        return
    models, pairs = csv_rows(folder / "leaderboard.csv"), csv_rows(folder / "paired.csv")
    rows = [
        [
            f"`{row['model']}`",
            row["kind"],
            estimate(percent, *(float(row[end]) for end in ("macro_f1", "low", "high"))),
            *(percent(float(row[name])) if row[name] else "" for name in ("together", "accuracy")),
            f"{float(row['ece']):.3f}" if row["ece"] else "",
        ]
        for row in models
    ]
    heads = ["model", "kind", "macro-F1", "seeds together", "accuracy", "calibration error"]
    yield "**Comparison**, every sample judged once out of fold:\n\n" + markdown_table(heads, rows)
    chosen = {row["model"] for row in models if row["kind"] == CHOICE}
    gains = [
        [
            f"`{pair['model']}`",
            f"`{pair['other']}`",
            estimate(points, *(float(pair[end]) for end in ("value", "low", "high"))),
            f"{float(pair['corrected']):.3f}",
        ]
        for pair in pairs
        if pair["model"] in chosen
    ]
    if gains:
        heads = ["model", "against", "points of macro-F1", "p, corrected by Holm"]
        yield markdown_table(heads, gains)
