"""Measure a card: `python -m benchmarks.gpu.run`; rehearse it with `--device cpu --quick`.

Each step is a process with a deadline of its own, so that one that hangs costs itself; what is
measured is written after each. The exit status is not 0 where a law does not hold or a step failed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.gpu import table
from pipeline.core.machine.environment import establish

HERE = Path(__file__).parents[1]
# Step and the seconds that it may take.
STEPS = {"machine": 40, "parity": 60, "law": 120, "bare": 90, "ours": 180, "training": 90}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a card.")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--quick", action="store_true", help="few rows: a rehearsal")
    parser.add_argument("--only", nargs="+", choices=list(STEPS), default=list(STEPS))
    parser.add_argument("--results", type=Path, default=HERE / "gpu.json")
    given = parser.parse_args()
    establish("avx2")
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as work:
        for step in given.only:
            print(f"{step} …", file=sys.stderr, flush=True)
            results[step] = _run(step, given.device, given.quick, Path(work))
            given.results.write_text(json.dumps(results, indent=1) + "\n")
    print(table.text(results))
    if broken := table.missed(results):
        sys.exit(f"missed: {', '.join(broken)}")


def _run(step: str, device: str, quick: bool, work: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", f"benchmarks.gpu.{step}", "--device", device]
    command += ["--work", str(work), *(["--quick"] if quick else [])]
    try:
        done = subprocess.run(
            command, cwd=HERE.parent, capture_output=True, text=True, timeout=STEPS[step]
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"took longer than {STEPS[step]} s"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
