"""Measure the store: `python -m benchmarks.store.run`; a tenth of the rows with `--scale 0.1`.

Ways of one job take turns, round after round, each in a process of its own, and the median counts.
Every way must come to the same sum of values.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import environments, ours
from benchmarks.kernels import PROJECT
from benchmarks.store import corpus, revisions, table
from benchmarks.store.contenders import JOBS

HERE = Path(__file__).parents[1]
RESULTS = HERE / "store.json"
# What takes minutes is done once, and what no ratio is taken of.
ONCE = ("pandas",)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the feature store.")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the rows")
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
    """All figures, as plain dicts."""
    lance = environments.python("lance")
    project.mkdir(parents=True, exist_ok=True)
    corpus.put_project(project, scale)
    _run(lance, "benchmarks.store.put_lance", str(project))
    jobs = {job: _job(job, project, lance, rounds) for job in JOBS}
    return {
        "sets": corpus.described(scale),
        "rounds": rounds,
        "jobs": jobs,
        "opening": _opening(project, rounds),
        **revisions.measure(project, rounds),
    }


def _job(job: str, project: Path, lance: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Way → median seconds, and its peak memory beyond the result."""
    told: dict[str, list[dict[str, float]]] = {way: [] for way in JOBS[job]}
    for number in range(rounds):
        for way, found in told.items():
            if number and way in ONCE:
                continue
            python = lance if way in ("lance", "pandas") else Path(sys.executable)
            output = _run(python, "benchmarks.store.contenders", job, way, str(project))
            found.append(json.loads(output.splitlines()[-1]))
    sums = {way: found[0]["sum"] for way, found in told.items()}
    (first, *others) = sums.values()
    if not all(math.isclose(first, other, rel_tol=1e-5, abs_tol=1e-2) for other in others):
        raise ArithmeticError(f"{job}: ways differ in their sums: {sums}")
    medians = {
        way: {
            "seconds": statistics.median(one["seconds"] for one in found),
            "peak": statistics.median(one["peak"] for one in found),
            "bytes": found[0]["bytes"],
        }
        for way, found in told.items()
    }
    for way, one in medians.items():
        print(f"{job}, {way}: {one['seconds'] * 1000:.2f} ms", flush=True)
    return medians


def _opening(project: Path, rounds: int) -> dict[str, Any]:
    """Processor seconds of a process that opens the store and describes a set."""
    script = (
        "import sys, time, json; from pipeline.store import open_store;"
        "s = open_store(sys.argv[1]); f = s['words'];"
        "f.provenance, len(f), f.shape, f.views, list(s);"
        "print(json.dumps([time.process_time(), 'torch' in sys.modules]))"
    )
    told = [
        json.loads(_run(Path(sys.executable), "-c", script, str(project))) for _ in range(rounds)
    ]
    return {"cpu_s": statistics.median(cpu for cpu, _ in told), "torch": any(t for _, t in told)}


def _run(python: Path, *arguments: str) -> str:
    command = [str(python), *(["-m"] if arguments[0] != "-c" else []), *arguments]
    done = subprocess.run(
        command, cwd=PROJECT, env=ours.environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
