"""Clean, augment and extract of a project one after another, as `dvc repro` runs them.

    python -m benchmarks.graph PROJECT

This process stands where DVC stands: its stages share one Ray head, which ends with it. DVC's own
hashing and bookkeeping are left out.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.kernels import SETS


def main(project: Path) -> None:
    environment = {**os.environ, "DVC_STAGE": "benchmark"}
    for stage, items in (("clean", SETS), ("augment", SETS), ("extract", SETS.values())):
        for item in items:
            command = [sys.executable, "-m", "pipeline.cli.main", "stage", stage, item]
            subprocess.run(command, cwd=project, env=environment, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
