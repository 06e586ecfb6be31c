"""Run the benchmark: `python -m benchmarks.run`, or `make bench`.

One run measures everything side by side, so that its figures may be divided by one another; it
ends in benchmarks/results.json, docs/performance.svg and the table in docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import time
from pathlib import Path
from typing import Any

from benchmarks import changes, corpus, environments, ours, plot, table
from benchmarks.kernels import PROJECT, SETS
from benchmarks.measured import PEERS, Run

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the project against its peers.")
    parser.add_argument("--every", type=int, default=1, help="take every n-th file of the stamps")
    parser.add_argument("--work", type=Path, default=HERE / ".work", help="scratch folder")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    began = time.monotonic()
    results = measure(arguments.work.absolute(), arguments.every)
    results["minutes"] = (time.monotonic() - began) / 60
    arguments.results.write_text(json.dumps(results, indent=1) + "\n")
    if arguments.results == RESULTS:
        table.update(PROJECT / "docs" / "performance.md", results)
        (PROJECT / "docs" / "performance.svg").write_text(plot.draw(results))
    print(table.text(results))


def measure(work: Path, every: int) -> dict[str, Any]:
    """All figures, as plain dicts."""
    workers = len(os.sched_getaffinity(0))
    pythons = {peer: environments.python(name) for peer, (name, _) in PEERS.items()}
    batches = put_batches(work / "batches", every, workers)
    scratch = work / "runs"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    run = Run(batches, scratch, pythons, workers)
    return {
        "machine": {
            "cores": workers,
            "processor": platform.machine(),
            "python": platform.python_version(),
        },
        "files": {name: count(batch) for name, batch in batches.items()},
        "parity": run.parity("few"),
        "limit": {name: run.limit(name) for name in ("few", "stamps", "ten")},
        "processes": {name: run.ours(name, "processes") for name in ("stamps", "half", "ten")},
        "serial": {"few": run.graph("few", "serial")},
        "ray": {name: run.graph(name, "ray") for name in ("few", "stamps", "ten")},
        "peers": {
            peer: run.peer(peer, "half" if peer == table.APART else "stamps") for peer in PEERS
        },
        "added": changes.add(scratch / "ten-processes", batches["more"], workers),
        "comment": changes.comment(scratch / "comment", batches["few"], workers),
    }


def put_batches(folder: Path, every: int, workers: int) -> dict[str, Path]:
    """The corpora. `more` is 1 % of new rows beside `ten`."""
    if not corpus.stamps().is_dir():
        ours.stage(PROJECT, "fetch", "stamps")
    folder.mkdir(parents=True, exist_ok=True)
    files = _every(corpus.assets(corpus.stamps()), every)
    wanted = {
        "few": (_every(files, 100), range(1)),
        "stamps": (files, range(1)),
        "half": (_every(files, 2), range(1)),
        "ten": (_every(files, 5), range(10)),
        "more": (_every(files, 50), range(10, 11)),
    }
    made = {}
    for name, (chosen, variants) in wanted.items():
        made[name] = folder / f"{name}-{every}"
        corpus.put_batch(made[name], chosen, variants, workers)
    return made


def _every(files: dict[str, list[Path]], n: int) -> dict[str, list[Path]]:
    return {modality: paths[::n] for modality, paths in files.items()}


def count(batch: Path) -> dict[str, int]:
    """Files of each modality."""
    return {modality: len(list((batch / modality).iterdir())) for modality in SETS}


if __name__ == "__main__":
    main()
