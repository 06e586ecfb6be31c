"""Measure a card: `python -m benchmarks.gpu.run`; rehearse it with `--device cpu --quick`.

Each step is a process with a deadline of its own, so that one that hangs costs itself; what is
measured is written after each. The exit status is not 0 where a law does not hold or a step failed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.gpu import table
from pipeline.core.machine.environment import establish

HERE = Path(__file__).parents[1]
# Step and the seconds that it may take: nine minutes in all.
STEPS = {
    "machine": 25,
    "parity": 45,
    "law": 120,
    "bare": 60,
    "training": 50,
    "kinds": 60,
    "ours": 120,
    "peer": 60,
}


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
    step_process = subprocess.Popen(
        command,
        cwd=HERE.parent,
        # Ray's workers import what a step sends them.
        env={**os.environ, "PYTHONPATH": f"{HERE.parent}:{os.environ.get('PYTHONPATH', '')}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, errors = step_process.communicate(timeout=STEPS[step])
    except subprocess.TimeoutExpired:
        # Ray's processes too, which would hold the card.
        os.killpg(step_process.pid, signal.SIGKILL)
        print(step_process.communicate()[1], file=sys.stderr)
        return {"failed": f"took longer than {STEPS[step]} s"}
    if step_process.returncode:
        print(errors, file=sys.stderr)
        return {"failed": (errors.strip().splitlines() or ["no message"])[-1]}
    figures: dict[str, Any] = json.loads(out.splitlines()[-1])
    return figures


if __name__ == "__main__":
    main()
