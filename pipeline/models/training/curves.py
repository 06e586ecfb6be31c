"""Learning curves as `dvc plots` reads them: plots/metrics/NAME.tsv with `step` and the value."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path


def write_curves(folder: Path, curves: Sequence[Mapping[str, float]]) -> None:
    """Write figure → value of each epoch, epochs counted from 0; an epoch may lack a figure."""
    for name in dict.fromkeys(name for figures in curves for name in figures):
        path = folder / "plots" / "metrics" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, delimiter="\t", lineterminator="\n")
            rows.writerow(["step", path.stem])
            rows.writerows(
                [epoch, figures[name]] for epoch, figures in enumerate(curves) if name in figures
            )
