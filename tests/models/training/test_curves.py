"""Learning curves are files that `dvc plots` reads."""

from __future__ import annotations

import math
from pathlib import Path

from pipeline.models.training.curves import write_curves


def test_a_figure_has_a_file_and_an_epoch_a_line(tmp_path: Path) -> None:
    write_curves(
        tmp_path,
        [
            {"train/loss": 1 / 3, "validation/category/macro_f1": 0.5, "rate": 1e-05},
            {"train/loss": math.nan, "rate": 1},
        ],
    )
    files = {p.relative_to(tmp_path).as_posix(): p.read_bytes() for p in tmp_path.rglob("*.tsv")}
    assert files == {
        "plots/metrics/train/loss.tsv": b"step\tloss\n0\t0.3333333333333333\n1\tnan\n",
        "plots/metrics/validation/category/macro_f1.tsv": b"step\tmacro_f1\n0\t0.5\n",
        "plots/metrics/rate.tsv": b"step\trate\n0\t1e-05\n1\t1\n",
    }
