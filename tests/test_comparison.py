"""The comparison's own graph, by DVC, on the small project."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command import records
from tests.dataset import HERE, run

COMPARISON = {
    "folds": 2,
    "seeds": 1,
    "inner": 2,
    "resamples": 500,
    "shuffles": 100,
    "baseline": {
        "features": {"picture": "colour_hog", "voice": "mfcc", "words": "hashing"},
    },
}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_graph_compares_and_then_has_nothing_to_do(project: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(project, other, symlinks=True)
    (other / "comparison").mkdir()
    shutil.copy(HERE / "recipes" / "comparison.dvc.yaml", other / "comparison" / "dvc.yaml")
    assert "crossvalidate" not in run(other, "dvc", "stage", "list", "comparison/dvc.yaml").stdout

    given = yaml.safe_load((other / "params.yaml").read_text())
    few = {**given["models"]["gated"], "epochs": 2, "views": 0}
    given["comparison"] = {
        **COMPARISON,
        "models": {
            "image": {**few, "features": ["colour_hog"], "fusion": "none"},
            "gated": few,
            "geometric": {**few, "fusion": "geometric"},
        },
    }
    (other / "params.yaml").write_text(yaml.safe_dump(given))
    run(other, "pipeline", "check")
    assert planned(other)["computed"] == 0
    assert planned(other, "crossvalidate/gated")["rows"] == 2
    assert not planned(other, "compare")["exact"]
    run(other, "dvc", "repro", "comparison/dvc.yaml")
    assert (
        planned(other, "compare")["computed"] == planned(other, "crossvalidate/gated")["rows"] == 0
    )
    found = json.loads((other / "data" / "comparison" / "metrics.json").read_text())
    assert {*found["macro_f1"]} == {"single", "fusion", "chosen", "baseline", "chance"}
    with (other / "data" / "comparison" / "leaderboard.csv").open() as file:
        board = {row["model"]: row for row in csv.DictReader(file)}
    assert {"image", "gated", "geometric", "chosen:fusion", "mean:logistic"} <= {*board}
    assert all(0 <= float(one["low"]) <= float(one["macro_f1"]) <= float(one["high"]) <= 1
               for one in board.values())  # fmt: skip
    with (other / "data" / "comparison" / "choices.csv").open() as file:
        assert {row["model"] for row in csv.DictReader(file)} <= {"gated", "geometric"}
    again = run(other, "dvc", "repro", "comparison/dvc.yaml")
    assert "trained" not in again.stdout
    assert "up to date" in again.stdout


def planned(folder: Path, *stage: str) -> dict[str, Any]:
    """The last forecast."""
    return records(folder, "plan", *stage)[-1]


def test_every_fusion_is_compared() -> None:
    given = yaml.safe_load((HERE / "params.yaml").read_text())["comparison"]["models"]
    fusions = {path.stem for path in (HERE / "pipeline" / "models" / "fusion").glob("[!_]*.py")}
    assert {one["fusion"] for one in given.values()} == fusions
