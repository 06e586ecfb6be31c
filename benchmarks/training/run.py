"""Measure training's batches: `python -m benchmarks.training.run`; fewer rows with `--scale 0.01`.

Ways take turns, round after round, each in a process of its own with one thread, and the median
counts. All must come to the same loss in their first step.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.kernels import PROJECT
from benchmarks.store import corpus
from benchmarks.training import table
from pipeline.core.machine.environment import ONE_THREAD

HERE = Path(__file__).parents[1]
RESULTS = HERE / "training.json"
WAYS = ("ours", "DataLoader, no process", "DataLoader, 2 processes")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the batches of training.")
    parser.add_argument("--scale", type=float, default=0.1, help="of the store's benchmark")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=Path, default=HERE / ".work" / "store")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    project = (arguments.work / f"{arguments.scale:g}").absolute()
    results = measure(project, arguments.scale, arguments.rounds)
    arguments.results.write_text(json.dumps(results, indent=1) + "\n")
    if arguments.results == RESULTS:
        table.update(PROJECT / "docs" / "performance.md", results)
    print(table.text(results))


def measure(project: Path, scale: float, rounds: int) -> dict[str, Any]:
    """Way → its medians; ArithmeticError if ways differ in their first loss."""
    project.mkdir(parents=True, exist_ok=True)
    corpus.put_project(project, scale)
    told: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, found in told.items():
            found.append(_one(way, project))
    losses = {way: found[0]["loss"] for way, found in told.items()}
    if not all(math.isclose(one, losses["ours"], rel_tol=1e-5) for one in losses.values()):
        raise ArithmeticError(f"ways differ in their first loss: {losses}")
    return {
        "samples": corpus.sets(scale)["pictures"].rows,
        "rounds": rounds,
        "ways": {
            way: {name: statistics.median(one[name] for one in found) for name in found[0]}
            for way, found in told.items()
        },
    }


def _one(way: str, project: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.training.contenders", way, str(project)]
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env={**os.environ, **ONE_THREAD},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


if __name__ == "__main__":
    main()
